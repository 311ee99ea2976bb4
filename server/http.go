package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/server/h2"
	"github.com/vitals-rpc/vitals/server/interceptor"
)

// HTTP2 says who serves HTTP/2.
type HTTP2 string

// The values of [HTTP2].
const (
	// OwnHTTP2 is package h2, made for many small messages.
	OwnHTTP2 HTTP2 = "own"
	// StdHTTP2 is net/http.
	StdHTTP2 HTTP2 = "std"
)

// Set implements flag.Value.
func (h *HTTP2) Set(name string) error {
	switch v := HTTP2(name); v {
	case OwnHTTP2, StdHTTP2:
		*h = v
		return nil
	}
	return fmt.Errorf("HTTP/2 is served by %q or by %q", OwnHTTP2, StdHTTP2)
}

// String implements flag.Value.
func (h *HTTP2) String() string { return string(*h) }

// Type is what a flag's help calls its value.
func (h *HTTP2) Type() string { return "name" }

// maxHeaderBytes is the largest head of a request: room for the longest URL of a
// Connect GET and for a browser's cookies.
const maxHeaderBytes = 64 << 10

// httpServer makes what serves HTTP/1.1 and HTTP/2 on every listener, with TLS
// and without.
func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:           announceHTTP3(s.handler),
		BaseContext:       withListener,
		ConnContext:       withRemoteEnd,
		Protocols:         protocols,
		ReadHeaderTimeout: s.opts.ReadHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: s.opts.MaxStreamsPerConn,
			// A peer that is gone without a word is noticed by pings.
			SendPingTimeout:  30 * time.Second,
			PingTimeout:      15 * time.Second,
			WriteByteTimeout: s.opts.SendTimeout,
			CountError:       s.countHTTP2Error,
		},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	if s.opts.HTTP2 == OwnHTTP2 {
		if _, err := h2.Configure(srv, h2.Options{Direct: s.direct, StallTimeout: s.opts.SendTimeout, MaxAge: s.opts.MaxConnectionAge}); err != nil {
			s.opts.Logger.Warn("HTTP/2 is served by net/http", "reason", err)
		}
	}
	return srv
}

// writeText answers with one line of text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // an error means that the caller is gone
}

// readInTime bounds the time that a body may take to arrive which is read as a
// whole, before an interceptor sees its call.
func readInTime(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader := interceptor.ReaderFrom(r.Context())
		if reader == nil {
			next.ServeHTTP(w, r)
			return
		}
		reader.SetReadTimeout(timeout)
		body := &timedBody{ReadCloser: r.Body, reader: reader}
		defer body.stop()
		copied := *r // for net/http looks at the body of its own request
		copied.Body = body
		next.ServeHTTP(w, &copied)
	})
}

// timedBody stops the clock when it has been read.
type timedBody struct {
	io.ReadCloser
	reader interceptor.Reader
}

func (b *timedBody) stop() { b.reader.SetReadTimeout(0) }

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.stop()
	}
	return n, err
}

// lateRead is how long an HTTP/1.1 stream is read on that was answered before its
// end.
const lateRead = time.Second

// withLateRead bounds what is read of an HTTP/1.1 stream, a body of no known length,
// when its handler has closed it early. net/http reads on then, so that the caller
// may send the rest and see the answer; a stream that sends little would hold up its
// answer, and the server's stopping, as long as it lasts.
func withLateRead(r *http.Request, control *http.ResponseController) *http.Request {
	if r.ContentLength >= 0 {
		return r
	}
	// A copy, for net/http looks at the body of its own request.
	copied := *r
	copied.Body = &lateBody{leftover: leftover{ReadCloser: r.Body}, control: control}
	return &copied
}

type lateBody struct {
	leftover
	control *http.ResponseController
}

// Close may come while a Read waits, whose lock the body's own Close needs.
func (b *lateBody) Close() error {
	if !b.ended.Load() {
		_ = b.control.SetReadDeadline(time.Now().Add(lateRead))
	}
	return b.ReadCloser.Close()
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

// mostTakenIn is how much of a body that nobody wanted is read all the same.
const mostTakenIn = 256 << 20

// takenAtOnce is how much of it has to come within [lateRead].
const takenAtOnce = 16 << 10

// takeIn reads and drops what a handler has left of an HTTP/2 body of a known
// length, as of one that is too large or of a procedure that there is not. Curl
// and others whose upload is cut short give up without reading the answer, which
// says why. Who has stopped sending is not waited for. In HTTP/1.1 net/http does
// it.
func takeIn(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.ContentLength <= 0 {
			next.ServeHTTP(w, r)
			return
		}
		body := &leftover{ReadCloser: r.Body}
		r.Body = body
		next.ServeHTTP(w, r)
		if body.ended.Load() {
			return
		}
		control, end := http.NewResponseController(w), time.Now().Add(timeout)
		for left := int64(mostTakenIn); left > 0 && time.Now().Before(end); {
			_ = control.SetReadDeadline(time.Now().Add(lateRead)) // HTTP/2 has them
			n, err := io.CopyN(io.Discard, body, takenAtOnce)
			if err != nil {
				return // that was all, or the caller is gone, or silent
			}
			left -= n
		}
	})
}

// leftover is a body that stays open when the RPC library closes it, and knows
// whether it has been read to its end.
type leftover struct {
	io.ReadCloser
	ended atomic.Bool // atomic: a receiver may outlive its handler for a moment
}

func (l *leftover) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if err != nil {
		l.ended.Store(true)
	}
	return n, err
}

// Close leaves the closing to net/http.
func (l *leftover) Close() error { return nil }
