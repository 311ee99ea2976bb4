package interceptor

import (
	"context"
	"io"
	"net/http"
	"time"

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

// Reader is the request's side of a transport.
type Reader interface {
	// LimitRead calls expired once the time is over, and then fails reads of the
	// request's body. Call stop when nobody reads any more.
	LimitRead(d time.Duration, expired func()) (stop func())
}

// request is a request as the interceptors of its call see it, and its body.
type request struct {
	io.ReadCloser
	reader Reader
	turn   *turn // whose body it is; nil: nobody's
	// arrived is that the body has been let in in which the calls are, and with it
	// the first of them.
	arrived bool
}

type requestKey struct{}

// WithReader returns a copy of a request whose call has the means to limit its
// reads, and gives its place at work up while it waits for them.
func WithReader(r *http.Request, reader Reader) *http.Request {
	known := &request{ReadCloser: r.Body, reader: reader}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = known
	}
	return r
}

func requestFrom(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// ReaderFrom returns what [WithReader] has given, or nil.
func ReaderFrom(ctx context.Context) Reader { return requestFrom(ctx).readerOrNil() }

func (r *request) readerOrNil() Reader {
	if r == nil {
		return nil
	}
	return r.reader
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
