package h2

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// sendData puts DATA into the outbox, and waits while the peer's windows, the
// connection's buffer or other streams before it in line do not let it. It
// returns how much it could not send. mu is held, but for the waiting.
func (st *stream) sendData(p []byte) (int, error) {
	c := st.c
	if st.gone {
		return len(p), st.err
	}
	if c.line.len() == 0 {
		for len(p) > 0 && c.out.len() < highWater {
			left := c.send(st, p, quantum)
			if len(left) == len(p) {
				break
			}
			p = left
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	st.pending, st.stalled = p, now()
	c.enqueue(st)
	c.flush()
	for len(st.pending) > 0 && !st.gone {
		if st.writeDeadline.passed() {
			st.reset(http2.ErrCodeInternal, os.ErrDeadlineExceeded)
			break
		}
		st.watchDeadline()
		c.watch()
		st.writable.Wait()
	}
	if st.gone {
		left := len(st.pending)
		if left == 0 {
			left = len(p) // abort has forgotten how much it was; none counts as sent
		}
		st.pending = nil
		return left, st.err
	}
	return 0, nil
}

// end is called when the handler has returned: what is left of the response goes
// out, without a goroutine that waits for it.
func (st *stream) end(trailers []Field) {
	r, c := &st.resp, st.c
	if r.status == 0 {
		st.takeHeader(http.StatusOK)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.gone {
		return
	}
	if r.length >= 0 && r.written < r.length && !st.isHead && bodyAllowed(r.status) {
		st.reset(http2.ErrCodeInternal, http.ErrContentLength)
		return
	}
	var body []byte
	if r.buf != nil {
		body = r.buf.b
	}
	if !r.headerSent {
		if r.length < 0 && len(trailers) == 0 && bodyAllowed(r.status) && (len(body) > 0 || !st.isHead) {
			r.length = int64(len(body))
			r.snapshot = append(r.snapshot, Field{"content-length", strconv.Itoa(len(body))})
		} else if r.length < 0 && st.isHead && r.written > 0 {
			r.snapshot = append(r.snapshot, Field{"content-length", strconv.FormatInt(r.written, 10)})
		}
		only := len(body) == 0 && len(trailers) == 0
		st.sendHeader(only)
		if only {
			st.endResponse()
			return
		}
	}
	st.trailers, st.ending = trailers, true
	st.owned, r.buf = r.buf, nil
	if c.line.len() == 0 {
		for len(body) > 0 && c.out.len() < highWater {
			left := c.send(st, body, quantum)
			if len(left) == len(body) {
				break
			}
			body = left
		}
	}
	if len(body) == 0 {
		st.finish()
		return
	}
	st.pending, st.stalled = body, now()
	c.enqueue(st)
	st.watchDeadline()
	c.watch()
	c.flush()
}

// collectTrailers finds the trailers: those announced by the header Trailer, and
// those with http.TrailerPrefix.
func (st *stream) collectTrailers() []Field {
	if st.resp.status == 0 {
		st.takeHeader(http.StatusOK) // which announces them
	}
	fields := st.trailerSpace[:0]
	add := func(key string, values []string) {
		name, ok := WireName(key)
		if !ok {
			return
		}
		for _, v := range values {
			if validValue(v) {
				fields = append(fields, Field{name, v})
			}
		}
	}
	for _, key := range st.resp.trailerKeys {
		if !forbiddenTrailer(key) {
			add(key, st.header[key])
		}
	}
	for key, values := range st.header {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok && !slices.Contains(st.resp.trailerKeys, http.CanonicalHeaderKey(name)) {
			add(name, values)
		}
	}
	return fields
}

// forbiddenTrailer reports headers that have a meaning before the body only.
func forbiddenTrailer(key string) bool {
	switch key {
	case "Content-Length", "Transfer-Encoding", "Trailer", "Content-Type", "Content-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Te":
		return true
	}
	return false
}

func statusText(status int) string {
	if status == http.StatusOK {
		return "200"
	}
	return strconv.Itoa(status)
}

// date is the Date header's value, made once a second.
func date() string {
	t := time.Now()
	if d := lastDate.Load(); d != nil && d.second == t.Unix() {
		return d.text
	}
	d := &dated{t.Unix(), t.UTC().Format(http.TimeFormat)}
	lastDate.Store(d)
	return d.text
}

type dated struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[dated]

// fieldSlices are pooled: they hold strings alone, which never change.
var fieldSlices = sync.Pool{New: func() any { return new([16]Field) }}

func getFields() []Field {
	return fieldSlices.Get().(*[16]Field)[:0]
}

func putFields(f []Field) {
	if cap(f) == 16 {
		f = f[:16]
		clear(f)
		fieldSlices.Put((*[16]Field)(f))
	}
}
