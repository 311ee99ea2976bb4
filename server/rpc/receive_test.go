package rpc

import (
	"context"
	"errors"
	"io"
	"testing"
)

// TestReceiveCutShort: a stream that is cut is never taken for one that has ended,
// for its caller would believe that all it sent was received.
func TestReceiveCutShort(t *testing.T) {
	reason := errors.New("the server is stopping")
	for range 200 {
		ctx, cancel := context.WithCancelCause(context.Background())
		sent := make(chan struct{})
		messages := 0
		in := receiveAll(ctx, func() (int, error) {
			messages++
			if messages == 3 {
				return 0, io.EOF
			}
			if messages == 2 {
				close(sent)
			}
			return messages, nil
		})
		if got, err := next(ctx, in); got != 1 || err != nil {
			t.Fatalf("next = %d, %v", got, err)
		}
		<-sent
		cancel(reason)
		// The second message may still come, and the end after it, or neither.
		last := 1
		got, err := next(ctx, in)
		for ; err == nil; got, err = next(ctx, in) {
			last = got
		}
		if last < 2 && errors.Is(err, io.EOF) {
			t.Fatal("it ends before the second message came")
		}
		for range in { // until the receiver has left
		}
		if _, err := next(ctx, in); !errors.Is(err, reason) {
			t.Fatalf("next = %v; want the reason", err)
		}
	}
}

// TestReceiveToTheEnd passes on what comes, and the end.
func TestReceiveToTheEnd(t *testing.T) {
	n := 0
	in := receiveAll(t.Context(), func() (int, error) {
		if n++; n > 3 {
			return 0, io.EOF
		}
		return n, nil
	})
	for want := 1; want <= 3; want++ {
		if got, err := next(t.Context(), in); got != want || err != nil {
			t.Fatalf("next = %d, %v; want %d", got, err, want)
		}
	}
	for range 2 {
		if _, err := next(t.Context(), in); !errors.Is(err, io.EOF) {
			t.Fatalf("next = %v; want the end", err)
		}
	}
}
