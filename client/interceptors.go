package client

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
)

func (o *options) interceptors() []connect.ClientInterceptor {
	return []connect.ClientInterceptor{withTimeout(o.timeout), withRetry(o.tries), withHeaders(o.headers), withToken(o.token)}
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

// withToken says who calls.
func withToken(source func(context.Context) (string, error)) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		if source == nil {
			return next
		}
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			token, err := source(ctx)
			if err != nil {
				return nil, err
			}
			if info, ok := connect.CallInfoForClientContext(ctx); ok && token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
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
