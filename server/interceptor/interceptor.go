// Package interceptor holds what surrounds every call, whatever transport it
// came by. The order in which they are stacked is in the server's routes.
package interceptor

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/peer"
)

// Recovery turns a panic into INTERNAL for the caller and a log record with the
// stack for the operator, and the server goes on.
func Recovery(log *slog.Logger) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) (err error) {
			defer func() {
				if r := recover(); r != nil {
					log.ErrorContext(ctx, "a handler panicked", "procedure", spec.Procedure, "request_id", RequestIDFrom(ctx),
						"panic", r, "stack", string(debug.Stack()))
					err = connect.NewError(connect.CodeInternal, "internal error; the server's log has the cause under request id "+RequestIDFrom(ctx))
				}
			}()
			return next(ctx, spec, stream)
		}
	}
}

// Log writes one record a call, when it ends: at level debug for those that went
// well or that the caller left, info where the caller erred, and error where the
// server did.
func Log(log *slog.Logger) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			start := time.Now()
			err := next(ctx, spec, stream)
			level := levelOf(err)
			if _, received := errors.AsType[*ReceiveError](err); level > slog.LevelInfo && received {
				level = slog.LevelInfo // bytes that are no message: the library says INTERNAL, and yet the caller erred
			}
			if !log.Enabled(ctx, level) {
				return err
			}
			attrs := []slog.Attr{
				slog.String("procedure", spec.Procedure),
				slog.String("code", codeName(err)),
				slog.String("duration", time.Since(start).String()),
				slog.String("request_id", RequestIDFrom(ctx)),
			}
			if info, ok := connect.CallInfoForServerContext(ctx); ok {
				attrs = append(attrs, slog.String("protocol", info.Protocol), slog.String("peer", peerOf(ctx, info)))
			}
			if err != nil {
				attrs = append(attrs, slog.String("error", cause(err)))
			}
			log.LogAttrs(ctx, level, "call", attrs...)
			return err
		}
	}
}

// peerOf is the caller's address, and the subject of its certificate where it has
// shown one.
func peerOf(ctx context.Context, info *connect.CallInfo) string {
	p, ok := peer.From(ctx)
	if !ok {
		return info.PeerAddr
	}
	if p.Certificate != nil {
		return p.String() + " " + p.Subject()
	}
	return p.String()
}

// ReceiveError says that no message could be read, and why: the caller's mistake, or
// its connection's.
type ReceiveError struct{ Reason error }

func (e *ReceiveError) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *ReceiveError) Unwrap() error { return e.Reason }

// cause is the whole of an error for the log: the message that the caller got
// and, where there is one behind it, the cause that it did not get.
func cause(err error) string {
	if inner := errors.Unwrap(err); inner != nil && !strings.Contains(err.Error(), inner.Error()) {
		return err.Error() + ": " + inner.Error()
	}
	return err.Error()
}

func levelOf(err error) slog.Level {
	if err == nil {
		return slog.LevelDebug
	}
	switch codeOf(err) {
	case connect.CodeCanceled: // how every endless stream ends
		return slog.LevelDebug
	case connect.CodeInternal, connect.CodeUnknown, connect.CodeDataLoss:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// codeOf is connect.CodeOf, knowing the context's own errors too, which the
// transport turns into codes by itself.
func codeOf(err error) connect.Code {
	switch {
	case errors.Is(err, context.Canceled):
		return connect.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	default:
		return connect.CodeOf(err)
	}
}

// codeName is the code as logs and metrics have it, "ok" for no error.
func codeName(err error) string {
	if err == nil {
		return "ok"
	}
	return codeOf(err).String()
}
