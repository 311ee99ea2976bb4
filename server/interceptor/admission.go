package interceptor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/admission"
)

// Admission puts every call past the gate. A unary call has one of the places at
// work only while it computes: a caller whose request does not come, or who does
// not read the answer, keeps none. A stream takes none, so that neither kind can
// starve the other.
type Admission struct {
	Gate *admission.Gate
	// Caller names who calls, to whom the bounds apply.
	Caller func(context.Context) string
	// Address names a caller of whom no more is known.
	Address func(context.Context) string
	// Alone says that nobody else calls over the caller's connection, so that it
	// need not be read while a refusal is held back. Default: nobody is.
	Alone func(context.Context) bool
	// Told makes of a refusal what callers read of it where no interceptor does.
	// Default: as it is.
	Told func(error) error
	// MaxMessageBytes is the largest message that is read, and so what one counts
	// that was found to be larger when that much of it had been unpacked.
	MaxMessageBytes int
	// ReadTimeout is how long the one message of a call may take to arrive; the
	// next one of a client's stream has ten times that.
	ReadTimeout time.Duration

	held atomic.Int64
}

// mostHeld is how many refusals are held back at once, of all callers: each is a
// request in memory. Further ones go out at once.
const mostHeld = 10_000

// Held returns how many refusals are held back.
func (a *Admission) Held() int { return int(a.held.Load()) }

// caller is who calls, at the gate.
func (a *Admission) caller(ctx context.Context) admission.Caller { return a.Gate.Caller(a.Caller(ctx)) }

// arrive lets a call of this caller begin, or returns the refusal once it is time
// for it.
func (a *Admission) arrive(ctx context.Context, caller admission.Caller) error {
	err := caller.Arrive()
	if err != nil {
		a.holdBack(ctx, err)
	}
	return err
}

// send accounts for bytes that this caller has sent, or returns the refusal once it
// is time for it.
func (a *Admission) send(ctx context.Context, caller admission.Caller, bytes int) error {
	err := caller.Send(bytes)
	if err != nil {
		a.holdBack(ctx, err)
	}
	return err
}

// holdBack waits until a refusal may be told, and has nothing read of the caller's
// connection meanwhile.
func (a *Admission) holdBack(ctx context.Context, err error) {
	refused, ok := errors.AsType[*admission.RefusedError](err)
	if !ok || refused.Hold <= 0 {
		return
	}
	if r, ok := ReaderFrom(ctx).(interface{ HoldBack(d time.Duration) }); ok && a.Alone != nil && a.Alone(ctx) {
		r.HoldBack(refused.Hold)
	}
	defer a.held.Add(-1)
	if a.held.Add(1) > mostHeld {
		return
	}
	timer := time.NewTimer(refused.Hold)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Arrivals lets the requests of plain routes begin past the same gate: what it
// refuses is answered with 429 and when to come back. It is for those that cost
// little more than their sending; the others are for [Admission.Handler].
func (a *Admission) Arrivals(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.arrive(r.Context(), a.caller(r.Context())); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Handler is Arrivals for plain routes that compute their answer, which takes a
// place at work. The answer is held in memory until that is over, so that nobody
// keeps a place who does not read it; it is for small ones.
func (a *Admission) Handler(next http.Handler) http.Handler {
	return a.Arrivals(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &turn{ctx: r.Context(), caller: a.caller(r.Context())}
		if err := t.take(); err != nil {
			refuse(w, err)
			return
		}
		defer t.leave()
		answer := &heldAnswer{ResponseWriter: w}
		t.during(r.Context(), func() { next.ServeHTTP(answer, r) })
		t.leave()
		answer.send()
	}))
}

// refuse answers a request that the gate does not let in.
func refuse(w http.ResponseWriter, err error) {
	sayRetry(w, err)
	http.Error(w, err.Error(), http.StatusTooManyRequests)
}

func sayRetry(w http.ResponseWriter, err error) {
	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
		SetRetryAfter(w.Header(), refused.RetryAfter)
	}
}

// heldAnswer keeps an answer until it is sent.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int) { h.status = cmp.Or(h.status, status) }

func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

// Unwrap lets http.ResponseController reach the writer beneath.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heldAnswer) send() {
	h.ResponseWriter.WriteHeader(cmp.Or(h.status, http.StatusOK))
	_, _ = h.body.WriteTo(h.ResponseWriter) // an error means that the caller is gone
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
		caller, r := a.caller(ctx), requestFrom(ctx)
		if !r.spendArrival() {
			if err := a.arrive(ctx, caller); err != nil {
				return err
			}
		}
		info, _ := connect.CallInfoForServerContext(ctx)
		s := &admitted{ServerStream: stream, by: a, turn: turn{ctx: ctx, caller: caller}, info: info}
		if spec.StreamType == connect.StreamTypeUnary {
			s.work = true
			defer s.leave()
		} else {
			closed, err := caller.Open()
			if err != nil {
				a.holdBack(ctx, err)
				return err
			}
			defer closed()
		}
		// Who streams both ways may have nothing to say for long, and a server's
		// stream is one message of the caller's like a unary call.
		if spec.StreamType != connect.StreamTypeBidi {
			s.reader, s.timeout = r.readerOrNil(), a.ReadTimeout
		}
		if spec.StreamType == connect.StreamTypeClient {
			s.timeout *= streamPatience
		}
		err := next(ctx, spec, s)
		if err != nil && s.tookTooLong() {
			return &SlowRequestError{s.timeout} // what a handler makes of it that saw its context end
		}
		return err
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
	turn
	by      *Admission
	info    *connect.CallInfo
	reader  Reader
	timeout time.Duration
	work    bool
}

// Receive reads a message, in the time that it may take.
func (s *admitted) Receive(msg any) error {
	err := s.receive(msg)
	switch {
	case connect.CodeOf(err) == connect.CodeResourceExhausted && s.refusal == nil: // it is larger than may be
		err = cmp.Or(s.by.send(s.ctx, s.caller, s.by.MaxMessageBytes), err)
	case s.info != nil && (err == nil || s.work): // a unary call's also if it cannot be decoded
		err = cmp.Or(s.by.send(s.ctx, s.caller, s.info.ReceiveStats.Size), err)
	}
	if err == nil && s.work {
		err = s.take()
	}
	return err
}

// receive reads a message. That of a unary call is unpacked and decoded in the
// call's turn, but for callers without bounds, who have theirs from then on.
func (s *admitted) receive(msg any) (err error) {
	if s.work && s.caller.HasBounds() {
		s.during(s.ctx, func() { err = s.receiveInTime(msg) })
		if s.refusal != nil {
			return s.refusal
		}
		return err
	}
	return s.receiveInTime(msg)
}

func (s *admitted) receiveInTime(msg any) error {
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
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &SlowRequestError{s.timeout}
	}
	return &ReceiveError{err}
}

// tookTooLong reports whether the transport has ended the call because a message did
// not come in its time.
func (s *admitted) tookTooLong() bool {
	r, ok := s.reader.(interface{ TimedOut() bool })
	return ok && r.TimedOut()
}

// Send writes a message. A unary call has nothing to compute any more then, and may
// wait long for a caller that does not read.
func (s *admitted) Send(msg any) error {
	if s.work {
		s.leave()
	}
	return s.ServerStream.Send(msg)
}
