package rpc

import (
	"context"
	"errors"
	"io"
)

// received is a message of a stream, or how the stream ended.
type received[T any] struct {
	msg T
	err error
}

// receiveAll receives in a goroutine of its own, so that a handler can leave
// when its context ends though the caller is silent: ending the handler ends the
// receiving. The last item has the error, io.EOF when the caller has sent all.
func receiveAll[T any](ctx context.Context, receive func() (T, error)) <-chan received[T] {
	out := make(chan received[T])
	go func() {
		defer close(out)
		for {
			msg, err := receive()
			select {
			case out <- received[T]{msg, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// next waits for the next message, or for the end of ctx.
func next[T any](ctx context.Context, in <-chan received[T]) (msg T, err error) {
	select {
	case r, ok := <-in:
		switch {
		case ok:
			return r.msg, r.err
		case ctx.Err() != nil: // a message may have been left behind: this is no end
			return msg, context.Cause(ctx)
		}
		return msg, io.EOF
	case <-ctx.Done():
		return msg, context.Cause(ctx)
	}
}

// ignoreEOF is nil for the end of a stream that is no mistake.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
