package balance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
)

// suspectAfter is how long a unary call may wait for its answer before its server
// is asked whether it is well.
const suspectAfter = 500 * time.Millisecond

// remoteFailures is how often in a row a server may say UNAVAILABLE, or say
// nothing, before it is left out where no checks are made.
const remoteFailures = 3

// call is one call in flight.
type call struct {
	balancer *Balancer
	endpoint *endpoint
	unary    bool
	cuttable bool // it may be ended when its server is dead
	moves    bool // it is ended when a better server is back

	caller context.Context //nolint:containedctx // the call's own
	ctx    context.Context //nolint:containedctx // the call's own, ended by cut too
	cancel context.CancelCauseFunc

	began    time.Time
	heard    atomic.Int64 // when something came last, in nanoseconds since the epoch
	broken   atomic.Pointer[error]
	once     sync.Once
	suspects *time.Timer
}

type callKey struct{}

// cutError ends a call whose server is left.
type cutError struct{ text string }

func (e *cutError) Error() string { return e.text }

// begin picks a server and counts the call in.
func (b *Balancer) begin(ctx context.Context, spec connect.Spec) *call {
	now := time.Now()
	c := &call{balancer: b, caller: ctx, began: now}
	c.unary = spec.StreamType == connect.StreamTypeUnary
	c.cuttable = !c.unary || spec.IdempotencyLevel != connect.IdempotencyUnknown
	c.moves = !c.unary && resumable(ctx)
	c.ctx, c.cancel = context.WithCancelCause(context.WithValue(ctx, callKey{}, c))
	triedOf(ctx).balancer(b)

	b.mu.Lock()
	defer b.mu.Unlock()
	c.endpoint = b.pick(ctx, now)
	c.endpoint.inflight++
	c.endpoint.calls[c] = struct{}{}
	if c.unary && b.checks() {
		c.suspects = time.AfterFunc(suspectAfter, func() { b.suspect(c.endpoint) })
	}
	return c
}

// finish ends the call with what came of it, and returns the error that the caller
// should see.
func (c *call) finish(err error) error {
	verdict, err := c.judge(err)
	c.once.Do(func() {
		if c.suspects != nil {
			c.suspects.Stop()
		}
		c.balancer.ended(c, verdict)
	})
	c.cancel(nil)
	return err
}

// verdict is what a call tells of its server.
type verdict uint8

const (
	noVerdict verdict = iota
	answered          // it does its work
	refused           // it says that it cannot, or says nothing
	broken            // it cannot be reached, or went away
)

// judge tells what an error says of the server, and gives it the code that it ought
// to have: a connection that breaks is UNAVAILABLE, whatever it broke in.
func (c *call) judge(err error) (verdict, error) {
	if err == nil || errors.Is(err, io.EOF) {
		return answered, err
	}
	if cut, ok := errors.AsType[*cutError](context.Cause(c.ctx)); ok && c.caller.Err() == nil {
		return noVerdict, connect.NewError(connect.CodeUnavailable, cut.text).WithCause(cut)
	}
	rpc, _ := errors.AsType[*connect.Error](err)
	switch {
	case rpc != nil && rpc.IsRemote() && rpc.Code() != connect.CodeUnavailable:
		return answered, err
	case rpc != nil && rpc.IsRemote():
		return refused, err
	case c.caller.Err() != nil:
		if errors.Is(c.caller.Err(), context.DeadlineExceeded) && c.heard.Load() == 0 {
			return refused, err
		}
		return noVerdict, err
	}
	if cause := c.broken.Load(); cause != nil {
		if rpc == nil || rpc.Code() != connect.CodeUnavailable {
			err = connect.Errorf(connect.CodeUnavailable, "%s: %v", c.endpoint.addr.key(), *cause).WithCause(*cause)
		}
		return broken, err
	}
	if rpc != nil && rpc.Code() == connect.CodeUnavailable {
		return refused, err // a proxy that has no server
	}
	return noVerdict, err
}

// ended takes in what a call tells of its server.
func (b *Balancer) ended(c *call, v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, now := c.endpoint, time.Now()
	e.inflight--
	delete(e.calls, c)
	switch v {
	case noVerdict:
		return
	case answered:
		if c.unary {
			e.observe(now.Sub(c.began), now)
		}
		// Where checks are made, they say when it is back.
		if !e.out || !b.checks() {
			e.out, e.misses = false, 0
		}
		return
	case refused:
		if b.checks() {
			b.soon(e, now)
			return
		}
		if e.misses++; e.misses < remoteFailures {
			return
		}
		e.misses -= remoteFailures // the first time out is a short one
	case broken:
	}
	if !e.out || now.After(e.until) {
		e.leaveOut(now, b.opts.MinBackoff, b.opts.MaxBackoff)
	}
	b.lookSoon(now)
	b.wake()
}

// stream tells its call what happens on it.
type stream struct {
	connect.ClientStream
	call *call
}

func (s *stream) SendHeaders() error { return s.sent(s.ClientStream.SendHeaders()) }

func (s *stream) Send(msg any) error { return s.sent(s.ClientStream.Send(msg)) }

func (s *stream) CloseSend() error { return s.sent(s.ClientStream.CloseSend()) }

// sent leaves the verdict to Receive where the server has ended the call.
func (s *stream) sent(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return s.call.finish(err)
}

func (s *stream) Receive(msg any) error {
	err := s.ClientStream.Receive(msg)
	if err == nil {
		s.call.heard.Store(time.Now().UnixNano())
		if s.call.unary {
			s.call.done()
		}
		return nil
	}
	return s.call.finish(err)
}

// done counts a unary call out when its answer is there; what is behind it is read
// yet.
func (c *call) done() {
	c.once.Do(func() {
		if c.suspects != nil {
			c.suspects.Stop()
		}
		c.balancer.ended(c, answered)
	})
}

func (s *stream) Close() error {
	err := s.ClientStream.Close()
	s.call.once.Do(func() {
		if s.call.suspects != nil {
			s.call.suspects.Stop()
		}
		s.call.balancer.ended(s.call, noVerdict)
	})
	s.call.cancel(nil)
	return err
}

// Observe lets the balancer see what becomes of a call's request and response.
func Observe(rt http.RoundTripper) http.RoundTripper { return &observer{rt} }

type observer struct{ next http.RoundTripper }

func (o *observer) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := o.next.RoundTrip(req)
	c, _ := req.Context().Value(callKey{}).(*call)
	if c == nil {
		return res, err
	}
	if err != nil {
		c.broke(err)
		return res, err
	}
	c.heard.Store(time.Now().UnixNano())
	res.Body = &observedBody{res.Body, c}
	return res, nil
}

// CloseIdleConnections drops idle connections.
func (o *observer) CloseIdleConnections() {
	if t, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (c *call) broke(err error) { c.broken.CompareAndSwap(nil, &err) }

type observedBody struct {
	io.ReadCloser
	call *call
}

func (b *observedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.call.broke(err)
	}
	return n, err
}

// notSentError is the cause of a failure before anything was sent.
type notSentError struct{ error }

func (e *notSentError) Unwrap() error { return e.error }

// NothingSent reports whether a call that failed with err can have had no effect,
// for no connection to a server came about.
func NothingSent(err error) bool {
	if _, ok := errors.AsType[*notSentError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// Redirect sends requests through rt to the address that a server's name was
// resolved to, asking it for that name.
func Redirect(rt http.RoundTripper, a Address) http.RoundTripper {
	if a.Dial == "" {
		return rt
	}
	return &redirecter{rt, a}
}

type redirecter struct {
	next http.RoundTripper
	addr Address
}

func (r *redirecter) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Host = req.URL.Host
	out.URL.Host = r.addr.Dial
	return r.next.RoundTrip(out)
}
