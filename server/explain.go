package server

import (
	"io"
	"net/http"
)

// writeText answers with one line of text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // an error means that the caller is gone
}

// explanations are what a caller is told where the RPC library answers with a
// bare status.
var explanations = map[int]string{
	http.StatusUnsupportedMediaType:    "no protocol of this procedure has that content type: send application/json or application/proto (Connect; application/connect+json or application/connect+proto for a stream), application/grpc or application/grpc-web",
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

// Flush implements http.Flusher. Streams flush after each message, so the way
// down is short where it can be.
func (w *explainWriter) Flush() {
	if f, ok := w.ResponseWriter.(interface{ FlushError() error }); ok {
		_ = f.FlushError() // http.Flusher cannot say it; the next write will
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *explainWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
