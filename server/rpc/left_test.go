package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/quic-go/quic-go"
)

func TestHasLeft(t *testing.T) {
	f := func(err error, want connect.Code) {
		t.Helper()
		handler := Errors(func(context.Context, connect.Spec, connect.ServerStream) error { return err })
		if got := connect.CodeOf(handler(t.Context(), connect.Spec{}, nil)); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	wrapped := func(err error) error {
		return connect.NewError(connect.CodeUnknown, "write envelope").WithCause(fmt.Errorf("write: %w", err))
	}
	f(wrapped(net.ErrClosed), connect.CodeCanceled)
	f(wrapped(&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}), connect.CodeCanceled)
	f(wrapped(&quic.StreamError{Remote: true}), connect.CodeCanceled)
	f(wrapped(&quic.ApplicationError{Remote: true}), connect.CodeCanceled)
	f(wrapped(&quic.StreamError{}), connect.CodeUnknown)
	f(wrapped(io.ErrUnexpectedEOF), connect.CodeUnknown)
	f(errors.New("the disk is on fire"), connect.CodeUnknown)
}
