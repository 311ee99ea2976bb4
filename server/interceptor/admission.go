package interceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/admission"
)

// Admission puts every call past the gate. A unary call takes one of the places
// at work only when its request has been read, so that a caller whose request
// never ends keeps none; a stream takes none, so that neither kind can starve the
// other.
type Admission struct {
	Gate *admission.Gate
	// Caller names who calls, to whom the bounds apply.
	Caller func(context.Context) string
	// ReadTimeout is how long the one message of a call may take to arrive; the
	// next one of a client's stream has ten times that.
	ReadTimeout time.Duration
}

// Handler puts the requests of a plain route past the same gate: what it refuses
// is answered with 429 and when to come back.
func (a *Admission) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := a.Gate.Arrive(a.Caller(r.Context()))
		done := func() {}
		if err == nil {
			done, err = a.Gate.Work(r.Context())
		}
		if err != nil {
			if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
				SetRetryAfter(w.Header(), refused.RetryAfter)
			}
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		defer done()
		next.ServeHTTP(w, r)
	})
}

// SetRetryAfter says in an answer's header when to come back: in whole seconds,
// rounded up, for HTTP has no smaller ones.
func SetRetryAfter(header interface{ Set(name, value string) }, after time.Duration) {
	header.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
}

// streamPatience is how many times longer a stream's next message may take.
const streamPatience = 10

// Intercept is the interceptor. Its refusals are *admission.RefusedError.
func (a *Admission) Intercept(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		name := a.Caller(ctx)
		if err := a.Gate.Arrive(name); err != nil {
			return err
		}
		info, _ := connect.CallInfoForServerContext(ctx)
		s := &admitted{ServerStream: stream, ctx: ctx, by: a, name: name, info: info}
		if spec.StreamType == connect.StreamTypeUnary {
			s.work = true
			defer func() { s.done() }()
		} else {
			closed, err := a.Gate.Open(name)
			if err != nil {
				return err
			}
			defer closed()
		}
		// Who streams both ways may have nothing to say for long, and a server's
		// stream is one message of the caller's like a unary call.
		if spec.StreamType != connect.StreamTypeBidi {
			s.reader, s.timeout = ReaderFrom(ctx), a.ReadTimeout
		}
		if spec.StreamType == connect.StreamTypeClient {
			s.timeout *= streamPatience
		}
		return next(ctx, spec, s)
	}
}

// SlowRequestError says that a message did not arrive in its time.
type SlowRequestError struct{ Timeout time.Duration }

func (e *SlowRequestError) Error() string {
	return fmt.Sprintf("the message did not arrive within %s", e.Timeout)
}

// admitted is a call that has passed the gate.
type admitted struct {
	connect.ServerStream
	ctx     context.Context //nolint:containedctx // it lives as long as its call
	by      *Admission
	name    string
	info    *connect.CallInfo
	reader  Reader
	timeout time.Duration
	work    bool
	release func()
}

// Receive reads a message, in the time that it may take.
func (s *admitted) Receive(msg any) error {
	if err := s.receive(msg); err != nil {
		return err
	}
	if s.info != nil {
		if err := s.by.Gate.Send(s.name, s.info.ReceiveStats.Size); err != nil {
			return err
		}
	}
	if !s.work || s.release != nil {
		return nil
	}
	release, err := s.by.Gate.Work(s.ctx)
	if err == nil {
		s.release = release
	}
	return err
}

func (s *admitted) receive(msg any) error {
	limited := s.reader != nil && s.timeout > 0
	if limited {
		s.reader.SetReadTimeout(s.timeout)
	}
	err := s.ServerStream.Receive(msg)
	if limited {
		s.reader.SetReadTimeout(0)
	}
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if slow, ok := errors.AsType[*SlowRequestError](context.Cause(s.ctx)); ok {
		return slow
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &SlowRequestError{s.timeout}
	}
	return &ReceiveError{err}
}

func (s *admitted) done() {
	if s.release != nil {
		s.release()
	}
}

// Reader is the request's side of a transport.
type Reader interface {
	// SetReadTimeout lets reads of the request's body fail with
	// os.ErrDeadlineExceeded that have not ended by then, counted from now. 0
	// lifts the bound. Where that ends the call's context, *[SlowRequestError] is
	// its cause.
	SetReadTimeout(d time.Duration)
}

type readerKey struct{}

// IsReaderKey reports whether a key of a context's value is that of its Reader, for
// contexts that are one themselves.
func IsReaderKey(key any) bool { return key == readerKey{} }

// WithReader gives a call the means to limit its reads.
func WithReader(ctx context.Context, r Reader) context.Context {
	return context.WithValue(ctx, readerKey{}, r)
}

// ReaderFrom returns what [WithReader] has given, or nil.
func ReaderFrom(ctx context.Context) Reader {
	r, _ := ctx.Value(readerKey{}).(Reader)
	return r
}
