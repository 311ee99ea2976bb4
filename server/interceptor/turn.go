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
	ctx    context.Context //nolint:containedctx // it lives as long as its call
	caller admission.Caller
	place  admission.Place
	// refusal is why it never had its turn.
	refusal error
}

// take waits for the turn, if it is not the call's already.
func (t *turn) take() error {
	if t.place.IsTaken() {
		return t.place.Return(t.ctx)
	}
	t.place, t.refusal = t.caller.Work(t.ctx)
	return t.refusal
}

// leave lets the next have its turn.
func (t *turn) leave() { t.place.Leave() }

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
	// SetReadTimeout lets reads of the request's body fail with
	// os.ErrDeadlineExceeded that have not ended by then, counted from now. 0
	// lifts the bound. A Reader whose call's context ends by that has a method
	// TimedOut() bool, which says so.
	SetReadTimeout(d time.Duration)
}

// Request is a request as the interceptors of its call see it, and its body: who
// reads that must read it here.
type Request struct {
	io.ReadCloser
	Reader Reader
	turn   *turn // whose body it is; nil: nobody's
	// arrived says that the document of which this is a call was let in; its first call
	// was counted with it.
	arrived bool
}

type requestKey struct{}

// IsRequestKey reports whether a key of a context's value is that of its Request, for
// contexts that have one themselves.
func IsRequestKey(key any) bool { return key == requestKey{} }

// WithReader returns a copy of a request whose call has the means to limit its
// reads, and gives its place at work up while it waits for them.
func WithReader(r *http.Request, reader Reader) *http.Request {
	known := &Request{ReadCloser: r.Body, Reader: reader}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = known
	}
	return r
}

func requestFrom(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// ReaderFrom returns what [WithReader] has given, or nil.
func ReaderFrom(ctx context.Context) Reader { return requestFrom(ctx).readerOrNil() }

func (r *Request) readerOrNil() Reader {
	if r == nil {
		return nil
	}
	return r.Reader
}

// spendArrival reports whether a call has arrived already, with the body that it is
// in; the next one of that body has not.
func (r *Request) spendArrival() bool {
	if r == nil || !r.arrived {
		return false
	}
	r.arrived = false
	return true
}

func (r *Request) Read(p []byte) (int, error) {
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
