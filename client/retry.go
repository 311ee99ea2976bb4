package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client/balance"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// The waits between tries where there is no other server to go to.
const (
	retryDelay    = 100 * time.Millisecond
	retryMaxDelay = 2 * time.Second
)

// The retry budget: so many tries more than calls at once, and so many for each
// call. When all servers are down, it keeps callers from multiplying the load that
// meets them when they come back.
const (
	budgetBurst = 20
	budgetRatio = 0.2
	budgetRate  = 1 // a second, so that a caller that seldom calls has them too
)

// budget is what the calls of a client may be repeated for.
type budget struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

func newBudget() *budget { return &budget{tokens: budgetBurst, at: time.Now()} }

// call counts a first try.
func (b *budget) call() { b.add(budgetRatio) }

// take reports whether there may be another try.
func (b *budget) take() bool { return b.add(-1) }

func (b *budget) add(n float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(budgetBurst, b.tokens+now.Sub(b.at).Seconds()*budgetRate)
	b.at = now
	if b.tokens+n < 0 {
		return false
	}
	b.tokens = min(budgetBurst, b.tokens+n)
	return true
}

// withRetry tries unary calls again while the server is unavailable: those that may
// be made twice, and any other that nothing was sent of. Of streams from a server it
// tries the opening, where nothing was sent. It works on calls, not on
// HTTP requests, because in gRPC the code is in the trailers.
func withRetry(tries int) connect.ClientInterceptor {
	allowed := newBudget()
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if tries <= 1 || spec.StreamType&connect.StreamTypeClient != 0 {
				return next(ctx, spec)
			}
			allowed.call()
			ctx, tried := balance.Avoid(ctx)
			r := retryingStream{ctx: ctx, spec: spec, next: next, tries: tries, budget: allowed, tried: tried}
			if spec.StreamType == connect.StreamTypeServer {
				return &reopeningStream{retryingStream: r}, nil
			}
			return &r, nil
		}
	}
}

// retryingStream keeps a unary call's request until the response is asked for,
// and then makes the whole call, again if need be.
type retryingStream struct {
	ctx     context.Context //nolint:containedctx // the stream lives within one call, whose context this is
	spec    connect.Spec
	next    connect.ClientFunc
	tries   int
	budget  *budget
	tried   *balance.Tried
	made    int           // tries that have failed
	delay   time.Duration // before the try that was made last
	request any
	current connect.ClientStream
	done    bool
}

func (s *retryingStream) SendHeaders() error { return nil }

func (s *retryingStream) Send(msg any) error {
	s.request = msg
	return nil
}

func (s *retryingStream) CloseSend() error { return nil }

func (s *retryingStream) Receive(msg any) error {
	if s.done {
		return io.EOF
	}
	s.done = true
	err := s.try(msg)
	for err != nil && s.again(err) && s.wait() {
		err = s.try(msg)
	}
	return withLastTry(s.ctx, err)
}

// wait waits for the next try; false if there is none.
func (s *retryingStream) wait() bool {
	s.made++
	if s.made >= s.tries || !s.budget.take() {
		return false
	}
	if s.tried.Elsewhere() {
		return true // a server that has done nothing wrong need not be waited for
	}
	s.delay = min(max(2*s.delay, retryDelay), retryMaxDelay)
	timer := time.NewTimer(s.delay*3/4 + rand.N(s.delay/2)) //nolint:gosec // spreads load, hides nothing
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// again reports whether a call that failed with err may be made once more.
func (s *retryingStream) again(err error) bool {
	if connect.CodeOf(err) != connect.CodeUnavailable {
		return false
	}
	return s.repeatable() || balance.NothingSent(err)
}

// repeatable reports whether the call may take effect twice.
func (s *retryingStream) repeatable() bool {
	if s.spec.IdempotencyLevel != connect.IdempotencyUnknown {
		return true
	}
	batch, ok := s.request.(*monitoringv1.ReportBatchRequest)
	return ok && repeatableBatch(batch)
}

// repeatableBatch reports whether a batch says all by itself: a sample that is
// stored already counts as a duplicate. Where it leaves the time or the host to the
// server, each try would mean another sample.
func repeatableBatch(batch *monitoringv1.ReportBatchRequest) bool {
	for _, sample := range batch.GetSamples() {
		if sample.GetTime() == nil {
			return false
		}
	}
	return batch.GetHostname() != ""
}

// withLastTry gives the end of the context its code, and what the last try had to
// say.
func withLastTry(ctx context.Context, last error) error {
	ended := ctx.Err()
	if last == nil || ended == nil || errors.Is(last, ended) {
		return last
	}
	code := connect.CodeCanceled
	if errors.Is(ended, context.DeadlineExceeded) {
		code = connect.CodeDeadlineExceeded
	}
	return connect.NewError(code, ended.Error()+"; the last try: "+last.Error()).WithCause(ended)
}

// try makes the whole call; with no message to receive into, all but that.
func (s *retryingStream) try(msg any) error {
	stream, err := s.next(s.ctx, s.spec)
	if err != nil {
		return err
	}
	s.current = stream
	// A send that fails because the server has answered already leaves the
	// verdict to Receive.
	if err := stream.Send(s.request); err != nil && !errors.Is(err, io.EOF) {
		_ = stream.Close() // the error that matters is Send's
		return err
	}
	if err := stream.CloseSend(); err != nil {
		_ = stream.Close() // as above
		return err
	}
	if msg == nil {
		return nil
	}
	if err := stream.Receive(msg); err != nil {
		_ = stream.Close() // the error that matters is Receive's
		return err
	}
	return nil
}

func (s *retryingStream) Close() error {
	if s.current == nil {
		return nil
	}
	return s.current.Close()
}

// reopeningStream is a stream from a server whose opening is tried again.
type reopeningStream struct {
	retryingStream
	opened error // why it could not be
	heard  bool
}

func (s *reopeningStream) CloseSend() error {
	s.opened = s.try(nil)
	return nil
}

func (s *reopeningStream) Receive(msg any) error {
	for {
		err := s.opened
		if err == nil {
			err = s.current.Receive(msg)
		}
		if err == nil || s.heard || !balance.NothingSent(err) || !s.wait() {
			s.heard = true
			return err
		}
		_ = s.Close() // its error is known
		s.opened = s.try(nil)
	}
}
