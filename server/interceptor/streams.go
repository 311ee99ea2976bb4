package interceptor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
)

// ErrStreamAge ends a stream that has reached its greatest age.
var ErrStreamAge = errors.New("the stream has reached its greatest age; open it again")

// Streams bounds how many streaming calls run at once and for how long, and ends
// those that run when the server stops. Make one with [NewStreams].
type Streams struct {
	limit  int64
	maxAge time.Duration
	open   atomic.Int64
	// refused are those beyond the limit.
	refused atomic.Int64

	mu      sync.Mutex
	stopped error
	cancels map[*context.CancelCauseFunc]struct{}
}

// NewStreams bounds the streaming calls of all connections to limit, and each to
// maxAge.
func NewStreams(limit int, maxAge time.Duration) *Streams {
	return &Streams{limit: int64(limit), maxAge: maxAge, cancels: map[*context.CancelCauseFunc]struct{}{}}
}

// Open returns how many streaming calls run.
func (s *Streams) Open() int { return int(s.open.Load()) }

// Refused returns how many were refused because of the limit.
func (s *Streams) Refused() int64 { return s.refused.Load() }

// Stop ends every streaming call with reason as the cause of its context, and
// refuses later ones with it.
func (s *Streams) Stop(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = reason
	for cancel := range s.cancels {
		(*cancel)(reason)
	}
}

// Intercept is the interceptor. Unary calls pass by untouched.
func (s *Streams) Intercept(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if spec.StreamType == connect.StreamTypeUnary || spec.Schema == nil {
			return next(ctx, spec, stream)
		}
		defer s.open.Add(-1)
		if s.open.Add(1) > s.limit {
			s.refused.Add(1)
			return connect.Errorf(connect.CodeResourceExhausted, "the server has its limit of %d streams open; try again later, or ask for several series over one stream", s.limit)
		}
		ctx, expire := context.WithTimeoutCause(ctx, s.maxAge, ErrStreamAge)
		defer expire()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		if err := s.track(&cancel); err != nil {
			return err
		}
		defer s.untrack(&cancel)
		if info, ok := connect.CallInfoForServerContext(ctx); ok {
			// Buffering proxies hold a stream's messages back unless told.
			info.ResponseHeader().Set("X-Accel-Buffering", "no")
		}
		return reasonOf(ctx, next(ctx, spec, stream))
	}
}

// reasonOf is why a stream has ended: where something in it, such as a write to the
// store, saw no more than that its context had, the cause of that.
func reasonOf(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
	}
	return err
}

func (s *Streams) track(cancel *context.CancelCauseFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped == nil {
		s.cancels[cancel] = struct{}{}
	}
	return s.stopped
}

func (s *Streams) untrack(cancel *context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cancels, cancel)
}
