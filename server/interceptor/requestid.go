package interceptor

import (
	"context"
	"crypto/rand"

	"connectrpc.com/connect/v2"
)

// RequestIDHeader carries the request id, both ways.
const RequestIDHeader = "X-Request-Id"

// maxRequestID is the longest id taken over from a caller.
const maxRequestID = 64

type requestIDKey struct{}

// RequestIDFrom returns the id of the call that ctx belongs to, or "".
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// RequestID gives each call an id, which logs name and the response carries. An
// id that the caller sent is kept where it is short and plain.
func RequestID(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		info, ok := connect.CallInfoForServerContext(ctx)
		if !ok {
			return next(ctx, spec, stream)
		}
		id := info.RequestHeader().Get(RequestIDHeader)
		if !plain(id) {
			id = rand.Text()
		}
		info.ResponseHeader().Set(RequestIDHeader, id)
		return next(context.WithValue(ctx, requestIDKey{}, id), spec, stream)
	}
}

func plain(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
