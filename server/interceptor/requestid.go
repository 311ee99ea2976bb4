package interceptor

import (
	"context"
	"math/rand/v2"

	"connectrpc.com/connect/v2"
)

// RequestIDHeader carries the request id, both ways.
const RequestIDHeader = "X-Request-Id"

// maxRequestID is the longest id taken over from a caller.
const maxRequestID = 64

// RequestIDFrom returns the id of the call that ctx belongs to, or "". It is kept in
// the response's header and nowhere else.
func RequestIDFrom(ctx context.Context) string {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return ""
	}
	return info.ResponseHeader().Get(RequestIDHeader)
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
			id = newRequestID()
		}
		info.ResponseHeader().Set(RequestIDHeader, id)
		return next(ctx, spec, stream)
	}
}

// newRequestID makes an id that no other call has: 125 random bits. They are no
// secret, so the runtime's generator will do, which costs no system call.
func newRequestID() string {
	var id [25]byte
	high, low := rand.Uint64(), rand.Uint64()
	for i := range id {
		id[i] = requestIDAlphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(id[:])
}

const requestIDAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

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
