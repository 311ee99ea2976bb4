package server

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/server/interceptor"
)

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
