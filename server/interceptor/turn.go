package interceptor

import (
	"context"
	"io"
	"net/http"

	"github.com/vitals-rpc/vitals/server/admission"
)

// turn is a unary call's time at work, which it lets go of while it waits for its
// caller.
type turn struct {
	ctx   context.Context //nolint:containedctx // it lives as long as its call
	gate  *admission.Gate
	name  string
	place *admission.Place
	// refusal is why it never had its turn.
	refusal error
}

// take waits for the turn, if it is not the call's already.
func (t *turn) take() error {
	if t.place != nil {
		return t.place.Return(t.ctx)
	}
	t.place, t.refusal = t.gate.Work(t.ctx, t.name)
	return t.refusal
}

// leave lets the next have its turn.
func (t *turn) leave() {
	if t.place != nil {
		t.place.Leave()
	}
}

// during calls read, in which the body of ctx's request is read: the turn is taken
// when something of it has come, and let go of while there is nothing.
func (t *turn) during(ctx context.Context, read func()) {
	if r := requestFrom(ctx); r != nil {
		r.turn = t
		defer func() { r.turn = nil }()
	}
	read()
}

// request is a request as the interceptors of its call see it, and its body.
type request struct {
	io.ReadCloser
	turn *turn // whose body it is; nil: nobody's
	// arrived is that the body has been let in in which the calls are, and with it
	// the first of them.
	arrived bool
}

type requestKey struct{}

// WithBody returns a copy of a request, in ctx, whose call gives its place at work up
// while it waits for the body.
func WithBody(ctx context.Context, r *http.Request) *http.Request {
	known := &request{ReadCloser: r.Body}
	r = r.WithContext(context.WithValue(ctx, requestKey{}, known))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = known
	}
	return r
}

func requestFrom(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// spendArrival reports whether a call has arrived already, with the body that it is
// in; the next one of that body has not.
func (r *request) spendArrival() bool {
	if r == nil || !r.arrived {
		return false
	}
	r.arrived = false
	return true
}

func (r *request) Read(p []byte) (int, error) {
	t := r.turn
	if t == nil {
		return r.ReadCloser.Read(p)
	}
	t.leave()
	n, err := r.ReadCloser.Read(p)
	if refused := t.take(); refused != nil {
		return 0, refused
	}
	return n, err
}
