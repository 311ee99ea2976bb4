package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// The waits between tries.
const (
	retryDelay    = 100 * time.Millisecond
	retryMaxDelay = 2 * time.Second
	retryJitter   = 0.25
)

func (o *options) interceptors() []connect.ClientInterceptor {
	return []connect.ClientInterceptor{withTimeout(o.timeout), withRetry(o.tries), withHeaders(o.headers)}
}

func withHeaders(headers http.Header) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok {
				for name, values := range headers {
					info.RequestHeader().SetValues(name, values)
				}
			}
			return next(ctx, spec)
		}
	}
}

// withTimeout bounds unary calls.
func withTimeout(timeout time.Duration) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if timeout <= 0 || spec.StreamType != connect.StreamTypeUnary {
				return next(ctx, spec)
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			stream, err := next(ctx, spec)
			if err != nil {
				cancel()
				return nil, err
			}
			return &cancelingStream{ClientStream: stream, cancel: cancel}, nil
		}
	}
}

// cancelingStream frees the timeout's timer when the call is over.
type cancelingStream struct {
	connect.ClientStream
	cancel context.CancelFunc
}

func (s *cancelingStream) Close() error {
	defer s.cancel()
	return s.ClientStream.Close()
}

// withRetry tries unary calls without side effects again while the server is
// unavailable. It works on calls, not on HTTP requests, because in gRPC the
// code is in the trailers.
func withRetry(tries int) connect.ClientInterceptor {
	policy := retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return err != nil && connect.CodeOf(err) == connect.CodeUnavailable }).
		WithMaxRetries(tries-1).
		WithBackoff(retryDelay, retryMaxDelay).
		WithJitterFactor(retryJitter).
		ReturnLastFailure().
		Build()
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if tries <= 1 || spec.StreamType != connect.StreamTypeUnary || spec.IdempotencyLevel == connect.IdempotencyUnknown {
				return next(ctx, spec)
			}
			return &retryingStream{ctx: ctx, spec: spec, next: next, policy: policy}, nil
		}
	}
}

// retryingStream keeps a unary call's request until the response is asked for,
// and then makes the whole call, again if need be.
type retryingStream struct {
	ctx     context.Context //nolint:containedctx // the stream lives within one call, whose context this is
	spec    connect.Spec
	next    connect.ClientFunc
	policy  retrypolicy.RetryPolicy[any]
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
	var last error
	err := failsafe.With(s.policy).WithContext(s.ctx).Run(func() error {
		last = s.try(msg)
		return last
	})
	return withCode(err, last)
}

// withCode gives the context's own errors, which come when it ends while a try
// runs or is waited for, their code and what the last try had to say.
func withCode(err, last error) error {
	if _, ok := errors.AsType[*connect.Error](err); ok || err == nil {
		return err
	}
	message := err.Error()
	if last != nil && !errors.Is(last, err) {
		message += "; the last try: " + last.Error()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, message).WithCause(err)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, message).WithCause(err)
	}
	return err
}

func (s *retryingStream) try(msg any) error {
	stream, err := s.next(s.ctx, s.spec)
	if err != nil {
		return err
	}
	s.current = stream
	// A send that fails because the server has answered already leaves the
	// verdict to Receive.
	if err := stream.Send(s.request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
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
