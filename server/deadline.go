package server

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/server/interceptor"
)

// sendDeadline cuts a response whose reader does not read: each write and flush
// may take that long, over HTTP/1.1 up to twice that, and no longer, and so may what is still buffered when the
// handler has returned. There is no limit on a response's whole life, which
// would cut streams.
func sendDeadline(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := w.(stallBound); ok && b.StallTimeout() > 0 && b.StallTimeout() <= timeout {
			next.ServeHTTP(w, interceptor.WithReader(r, requestReader{b}))
			return
		}
		dw := &deadlineWriter{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
		if r.ProtoMajor < 2 {
			dw.conn = remoteEndOf(r.Context())
			r = withLateRead(r, dw.control)
		}
		if dw.conn == nil {
			dw.stalled = time.AfterFunc(timeout, dw.cut)
			dw.stalled.Stop()
		}
		defer dw.end()
		next.ServeHTTP(dw, interceptor.WithReader(r, dw))
	})
}

// stallBound is a response that is cut by its connection when it is not read for
// that long, at less cost than a timer a write: see package h2.
type stallBound interface {
	StallTimeout() time.Duration
	Stalled() bool
	SetReadTimeout(d time.Duration)
	HoldBack(d time.Duration)
}

// requestReader is the [interceptor.Reader] of such a response, which bears to be
// used late.
type requestReader struct{ response stallBound }

// Stalled says whether the response was cut because nobody read it.
func (r requestReader) Stalled() bool { return r.response.Stalled() }

// SetReadTimeout implements [interceptor.Reader].
func (r requestReader) SetReadTimeout(d time.Duration) { r.response.SetReadTimeout(d) }

// HoldBack has nothing read of the caller's connection for a while.
func (r requestReader) HoldBack(d time.Duration) { r.response.HoldBack(d) }

// deadlineWriter runs a timer during each write rather than set a deadline
// before it: in HTTP/2 a deadline costs two messages to the connection's
// goroutine, and a timer that is stopped in time costs none. A connection of
// HTTP/1.1 has one response at a time, and its deadline is put off now and then.
type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	stalled *time.Timer // nil where there is conn
	conn    *remoteEnd  // of HTTP/1.1
	// Of who reads the request.
	slowRead *time.Timer
	timedOut atomic.Bool

	mu    sync.Mutex
	ended bool // the handler has returned
	slow  bool // the response was cut
}

// cut fails the write that waits, by a deadline in the past. Where none can be
// set there is nothing that waits.
func (w *deadlineWriter) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended { // the timer may fire just as the write ends; net/http panics on a late call
		w.slow = true
		_ = w.control.SetWriteDeadline(time.Unix(1, 0))
	}
}

// Stalled says whether the response was cut because nobody read it.
func (w *deadlineWriter) Stalled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slow
}

// end bounds the sending of what is buffered, which net/http does once the
// handler has returned.
func (w *deadlineWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.conn != nil {
		w.conn.delayDeadline(w.control, w.timeout)
		return
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
}

// SetReadTimeout implements [interceptor.Reader], by a timer too.
func (w *deadlineWriter) SetReadTimeout(d time.Duration) {
	switch {
	case d == 0 && w.slowRead != nil:
		w.slowRead.Stop()
	case d == 0:
	case w.slowRead == nil:
		w.slowRead = time.AfterFunc(d, w.cutRead)
	default:
		w.slowRead.Reset(d)
	}
}

// TimedOut says whether a read was cut, which in HTTP/1.1 ends the request's context.
func (w *deadlineWriter) TimedOut() bool { return w.timedOut.Load() }

// cutRead fails the read that waits.
func (w *deadlineWriter) cutRead() {
	w.timedOut.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		_ = w.control.SetReadDeadline(time.Unix(1, 0)) // where none can be set there is no body that waits
	}
}

func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.start()
	n, err := w.ResponseWriter.Write(p)
	w.stop(err)
	return n, err
}

// FlushError implements the flushing that http.ResponseController looks for.
func (w *deadlineWriter) FlushError() error {
	w.start()
	err := w.control.Flush()
	w.stop(err)
	return err
}

// start bounds a write until stop is called with its error.
func (w *deadlineWriter) start() {
	if w.conn != nil {
		w.conn.delayDeadline(w.control, w.timeout)
		return
	}
	w.stalled.Reset(w.timeout)
}

func (w *deadlineWriter) stop(err error) {
	switch {
	case w.stalled != nil:
		w.stalled.Stop()
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.mu.Lock()
		defer w.mu.Unlock()
		w.slow = true
	}
}

// Flush implements http.Flusher.
func (w *deadlineWriter) Flush() { _ = w.FlushError() }

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
