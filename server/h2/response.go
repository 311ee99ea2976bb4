package h2

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// response is what a handler has said so far, of its goroutine alone.
type response struct {
	status      int
	snapshot    []Field // the header as it was at WriteHeader
	trailerKeys []string
	length      int64 // content-length as declared, or -1
	written     int64
	buf         *buffer // before the header is sent
	headerSent  bool
	hasDate     bool
	hasType     bool
	encoded     bool // content-encoding is set
	closeConn   bool
}

// firstWrite is how much of a response is gathered before its header is sent.
// What fits gets a content-length; so does no stream, which flushes before.
const firstWrite = 4 << 10

// responseWriter is an http.ResponseWriter, with all that http.ResponseController
// and handlers look for beside: Flush, FlushError, WriteString, SetReadDeadline,
// SetWriteDeadline and EnableFullDuplex. There is no Hijack in HTTP/2, and no
// Push, which browsers have given up.
type responseWriter stream

var (
	_ http.ResponseWriter = (*responseWriter)(nil)
	_ http.Flusher        = (*responseWriter)(nil)
	_ io.StringWriter     = (*responseWriter)(nil)
)

// Header implements http.ResponseWriter.
func (w *responseWriter) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter. A status below 200 is sent at once,
// and another may follow.
func (w *responseWriter) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("h2: invalid WriteHeader code " + strconv.Itoa(status))
	}
	st := (*stream)(w)
	switch {
	case st.over():
		st.c.logf("http2: superfluous WriteHeader(%d) after the handler of %s had returned", status, st.c.remote)
	case st.resp.status != 0:
		st.c.logf("http2: superfluous WriteHeader(%d) call for %s", status, st.c.remote)
	case status < 200:
		st.sendInformation(status)
	default:
		st.takeHeader(status)
	}
}

// over reports whether the handler has returned: a response that outlives its
// handler is a mistake that must harm no one else.
func (st *stream) over() bool {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.handlerOver
}

// Write implements http.ResponseWriter. It waits while the client reads slowly.
func (w *responseWriter) Write(p []byte) (int, error) { return (*stream)(w).write(p, "") }

// WriteString implements io.StringWriter.
func (w *responseWriter) WriteString(s string) (int, error) { return (*stream)(w).write(nil, s) }

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// write takes p or else s.
func (st *stream) write(p []byte, s string) (int, error) {
	r := &st.resp
	if r.status == 0 {
		if st.over() {
			return 0, errHandlerOver
		}
		st.takeHeader(http.StatusOK)
	}
	n := len(p) + len(s)
	if !bodyAllowed(r.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if r.length >= 0 && r.written+int64(n) > r.length {
		return 0, http.ErrContentLength
	}
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	switch {
	case st.handlerOver:
		return 0, errHandlerOver
	case st.isHead:
		r.written += int64(n)
		return n, nil
	case !r.headerSent:
		if r.gather(p, s) {
			return n, nil
		}
		if err := st.sendGathered(p, s); err != nil {
			return 0, err
		}
	}
	if s != "" {
		p = []byte(s)
	}
	left, err := st.sendData(p)
	r.written += int64(n - left)
	return n - left, err
}

// gather keeps what is written until it is known how long the response is, or
// until it is too much.
func (r *response) gather(p []byte, s string) bool {
	n := len(p) + len(s)
	have := 0
	if r.buf != nil {
		have = len(r.buf.b)
	}
	if have+n > firstWrite {
		return false
	}
	if r.buf == nil {
		r.buf = getBuffer(max(n, 512))
	}
	r.buf = r.buf.grow(n)
	r.buf.b = append(append(r.buf.b, p...), s...)
	r.written += int64(n)
	return true
}

// sendGathered sends the header and what has been gathered; p or s comes next.
// mu is held.
func (st *stream) sendGathered(p []byte, s string) error {
	r := &st.resp
	if st.gone {
		return st.err
	}
	if r.buf == nil {
		if p == nil {
			p = []byte(s)
		}
		st.sniff(p)
	}
	st.sendHeader(false)
	if r.buf == nil {
		return nil
	}
	gathered := r.buf
	r.buf = nil
	_, err := st.sendData(gathered.b)
	putBuffer(gathered)
	return err
}

// Flush implements http.Flusher.
func (w *responseWriter) Flush() { _ = w.FlushError() } // http.Flusher has no way to say it

// FlushError sends what has been written. It does not wait until it is read.
func (w *responseWriter) FlushError() error {
	st := (*stream)(w)
	if st.resp.status == 0 {
		if st.over() {
			return errHandlerOver
		}
		st.takeHeader(http.StatusOK)
	}
	return st.flush()
}

func (st *stream) flush() error {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case st.handlerOver:
		return errHandlerOver
	case st.gone:
		return st.err
	}
	if !st.resp.headerSent {
		if err := st.sendGathered(nil, ""); err != nil {
			return err
		}
	}
	c.flush()
	return nil
}

// takeHeader fixes the status and the header, which the handler may go on to
// change for its trailers.
func (st *stream) takeHeader(status int) {
	r := &st.resp
	r.status, r.length = status, -1
	fields := getFields()
	for key, values := range st.header {
		if strings.HasPrefix(key, http.TrailerPrefix) {
			continue
		}
		name, ok := WireName(key)
		if !ok || !r.note(name, values) {
			continue
		}
		for _, v := range values {
			if validValue(v) {
				fields = append(fields, Field{name, v})
			}
		}
	}
	r.snapshot = fields
}

// note looks at a header that means something to the connection. It is false for
// one that is not to be sent as it is.
func (r *response) note(name string, values []string) bool {
	switch name {
	case "content-length":
		if len(values) == 1 {
			if n, err := strconv.ParseUint(values[0], 10, 63); err == nil {
				r.length = int64(n)
				return true
			}
		}
		return false
	case "content-type":
		r.hasType = true
		return len(values) > 0
	case "content-encoding":
		r.encoded = len(values) > 0 && values[0] != ""
	case "date":
		r.hasDate = true
	case "trailer":
		for _, v := range values {
			for key := range strings.SplitSeq(v, ",") {
				r.trailerKeys = append(r.trailerKeys, http.CanonicalHeaderKey(strings.TrimSpace(key)))
			}
		}
	case "connection":
		r.closeConn = len(values) > 0 && strings.EqualFold(values[0], "close")
		return false
	case "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return false
	}
	return true
}

// sniff finds a content type, as net/http does.
func (st *stream) sniff(p []byte) {
	r := &st.resp
	if r.hasType || r.encoded || len(p) == 0 || !bodyAllowed(r.status) {
		return
	}
	r.hasType = true
	r.snapshot = append(r.snapshot, Field{"content-type", http.DetectContentType(p)})
}

// sendHeader puts the header into the outbox; end is END_STREAM. mu is held.
func (st *stream) sendHeader(end bool) {
	r := &st.resp
	r.headerSent = true
	if r.buf != nil {
		st.sniff(r.buf.b)
	}
	st.expects = false
	st.c.out.headers(st.id, end, func(o *outbox) {
		o.field(":status", statusText(r.status))
		for _, f := range r.snapshot {
			o.field(f.Name, f.Value)
		}
		if !r.hasDate {
			o.field("date", date())
		}
	})
	putFields(r.snapshot)
	r.snapshot = nil
	if r.closeConn {
		st.c.startDrain()
	}
}

// sendInformation sends a status below 200 with the header as it is now.
func (st *stream) sendInformation(status int) {
	if status == http.StatusSwitchingProtocols {
		panic("h2: 101 Switching Protocols does not exist in HTTP/2")
	}
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.gone {
		return
	}
	if status == http.StatusContinue {
		st.expects = false
	}
	c.out.headers(st.id, false, func(o *outbox) {
		o.field(":status", statusText(status))
		for key, values := range st.header {
			name, ok := WireName(key)
			if !ok || name == "content-length" || name == "transfer-encoding" || strings.HasPrefix(key, http.TrailerPrefix) {
				continue
			}
			for _, v := range values {
				if validValue(v) {
					o.field(name, v)
				}
			}
		}
	})
	c.flush()
}

// sendContinue asks the client for the body that it has held back. mu is held.
func (st *stream) sendContinue() {
	st.expects = false
	if st.resp.headerSent {
		return
	}
	st.c.out.headers(st.id, false, func(o *outbox) { o.field(":status", "100") })
	st.c.flush()
}

// SetReadDeadline is for http.ResponseController: reads of the request's body
// fail when it has passed, with os.ErrDeadlineExceeded.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	st := (*stream)(w)
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.readDeadline = at(t)
	st.readable.Broadcast() // who waits is to look at it
	return nil
}

// SetReadTimeout bounds how long reads may wait in all, from the first that waits
// on, until it is called again; 0 is no bound, and no deadline. It is for the
// goroutine that reads, and costs next to nothing where what is read is there.
func (w *responseWriter) SetReadTimeout(d time.Duration) { w.readTimeout, w.readTimeoutNew = d, true }

// SetWriteDeadline is for http.ResponseController: what has not been sent by then
// will not be, the stream is reset, and writes fail with os.ErrDeadlineExceeded.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	st := (*stream)(w)
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.writeDeadline = at(t)
	st.writable.Broadcast()
	return nil
}

// StallTimeout is how long the response waits for a client that opens no window,
// before the stream is reset; zero without such a limit.
func (w *responseWriter) StallTimeout() time.Duration { return w.c.cfg.stallTimeout }

// Stalled says whether the stream was reset, or its connection cut, because of that
// limit.
func (w *responseWriter) Stalled() bool {
	st := (*stream)(w)
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return errors.Is(st.err, errStalled)
}

// HoldBack has nothing more read of the connection for that long, a second at the
// most: what the caller sends waits in its own buffers meanwhile. It is for refusals
// of one who would otherwise do nothing but be refused, and holds up all that comes
// by the connection.
func (w *responseWriter) HoldBack(d time.Duration) {
	until := int64(now().add(min(d, longestHold)))
	for held := w.c.heldUntil.Load(); held < until; held = w.c.heldUntil.Load() {
		if w.c.heldUntil.CompareAndSwap(held, until) {
			return
		}
	}
}

// EnableFullDuplex is for http.ResponseController; a stream always is.
func (w *responseWriter) EnableFullDuplex() error { return nil }
