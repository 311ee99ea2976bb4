package server

import (
	"io"
	"net/http"
	"time"
)

// writeText answers with one line of text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // an error means that the caller is gone
}

// sendDeadline cuts a response whose reader does not read: each write and flush
// may take that long and no longer. There is no limit on a response's whole
// life, which would cut streams.
func sendDeadline(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		stalled := time.AfterFunc(timeout, func() {
			// A deadline in the past fails the write that waits. Where it cannot
			// be set there is nothing that waits.
			_ = control.SetWriteDeadline(time.Unix(1, 0))
		})
		stalled.Stop()
		next.ServeHTTP(&deadlineWriter{ResponseWriter: w, control: control, stalled: stalled, timeout: timeout}, r)
	})
}

// deadlineWriter runs a timer during each write rather than set a deadline
// before it: in HTTP/2 a deadline costs two messages to the connection's
// goroutine, and a timer that is stopped in time costs none.
type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stalled *time.Timer
	timeout time.Duration
}

func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.stalled.Reset(w.timeout)
	defer w.stalled.Stop()
	return w.ResponseWriter.Write(p)
}

// FlushError implements the flushing that http.ResponseController looks for.
func (w *deadlineWriter) FlushError() error {
	w.stalled.Reset(w.timeout)
	defer w.stalled.Stop()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *deadlineWriter) Flush() { _ = w.FlushError() }

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// explanations are what a caller is told where the RPC library answers with a
// bare status.
var explanations = map[int]string{
	http.StatusUnsupportedMediaType:    "no protocol of this procedure has that content type: send application/json or application/proto (Connect), application/grpc or application/grpc-web",
	http.StatusMethodNotAllowed:        "call this procedure with POST; GET is for procedures without side effects, with ?encoding=json&message={...}",
	http.StatusHTTPVersionNotSupported: "this procedure streams both ways, which needs HTTP/2: with curl, add --http2-prior-knowledge",
}

// explain gives bare error statuses a body that says what to do.
func explain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&explainWriter{ResponseWriter: w}, r)
	})
}

type explainWriter struct{ http.ResponseWriter }

func (w *explainWriter) WriteHeader(status int) {
	text, ok := explanations[status]
	if ok && w.Header().Get("Content-Type") == "" {
		writeText(w.ResponseWriter, status, text)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *explainWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (w *explainWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
