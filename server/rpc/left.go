package rpc

import (
	"errors"
	"net"
	"syscall"

	"github.com/quic-go/quic-go"
)

// hasLeft says whether a call failed because its caller is gone: the connection is
// closed or reset, or the stream is. That is how people end streams, and no
// failure of the server's.
func hasLeft(err error) bool {
	for _, gone := range []error{net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return true
		}
	}
	if e, ok := errors.AsType[*quic.StreamError](err); ok {
		return e.Remote
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		return e.Remote
	}
	return false
}
