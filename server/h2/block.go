package h2

import (
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// head is a decoded header block. Heads are pooled: only their strings, which
// never change, get to user code.
type head struct {
	method, scheme, authority, path string
	fields                          []Field
	length                          int64  // content-length, -1 without one
	size                            int    // as SETTINGS_MAX_HEADER_LIST_SIZE counts
	cookies                         int    // fields that are cookies
	large                           bool   // past the limit: what is here is not all
	malformed                       string // why, if it is
	pseudo                          bool   // there was a pseudo-header
	regular                         bool   // there was another, after which no pseudo-header may come
}

var heads = sync.Pool{New: func() any { return new(head) }}

func newHead() *head {
	h := heads.Get().(*head)
	clear(h.fields)
	*h = head{fields: h.fields[:0], length: -1}
	return h
}

func (h *head) release() {
	if cap(h.fields) <= 128 {
		heads.Put(h)
	}
}

// blockDecoder puts a header block together from HEADERS and CONTINUATION.
type blockDecoder struct {
	hpack  *hpack.Decoder
	head   *head
	most   int // of head.size
	stream uint32
	end    bool // END_STREAM was on the HEADERS
	depend bool // the stream depends on itself
	bytes  int  // encoded
	frames int  // CONTINUATION
	opened int  // streams
}

func (d *blockDecoder) init(c *conn) {
	d.most = c.cfg.maxHeaderBytes
	d.hpack = hpack.NewDecoder(c.cfg.decodeTableSize, d.emit)
	d.hpack.SetAllowedMaxDynamicTableSize(c.cfg.decodeTableSize)
}

// emit takes one field. What is past the limit is decoded, since the table of
// later blocks depends on it, and not kept.
func (d *blockDecoder) emit(f hpack.HeaderField) {
	h := d.head
	h.size += int(f.Size())
	if h.size > d.most {
		h.large = true
		d.hpack.SetEmitEnabled(false)
		return
	}
	if strings.HasPrefix(f.Name, ":") {
		h.addPseudo(f)
		return
	}
	h.regular = true
	if !validWireName(f.Name) || !validValue(f.Value) {
		h.malformed = "a header's name or value has characters that it must not have"
		return
	}
	h.addField(Field{f.Name, f.Value})
}

func (h *head) addPseudo(f hpack.HeaderField) {
	h.pseudo = true
	var into *string
	switch f.Name {
	case ":method":
		into = &h.method
	case ":scheme":
		into = &h.scheme
	case ":authority":
		into = &h.authority
	case ":path":
		into = &h.path
	}
	switch {
	case into == nil:
		h.malformed = "unknown pseudo-header"
	case h.regular:
		h.malformed = "a pseudo-header after a header"
	case *into != "":
		h.malformed = "a pseudo-header twice"
	case f.Value == "":
		h.malformed = "an empty pseudo-header"
	case !validValue(f.Value):
		h.malformed = "a pseudo-header with characters that it must not have"
	default:
		*into = f.Value
	}
}

func (h *head) addField(f Field) {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.malformed = "a header of HTTP/1.1's connections: " + f.Name
		return
	case "te":
		if f.Value != "trailers" {
			h.malformed = "te other than trailers"
			return
		}
	case "cookie":
		h.cookies++
	case "content-length":
		n, err := strconv.ParseUint(f.Value, 10, 63)
		if err != nil || h.length >= 0 && h.length != int64(n) || f.Value[0] == '+' {
			h.malformed = "a content-length that is none"
			return
		}
		h.length = int64(n)
	}
	h.fields = append(h.fields, f)
}

// beforeBlock bounds what is still to be read of a header block.
func (c *conn) beforeBlock(h http2.FrameHeader) error {
	d := &c.block
	switch h.Type {
	case http2.FrameHeaders:
		d.bytes, d.frames = int(h.Length), 0
		c.mu.Lock()
		c.inHeader = c.lastRead
		c.mu.Unlock()
	case http2.FrameContinuation:
		d.bytes += int(h.Length)
		if d.frames++; d.frames > maxContinuations {
			return tooMany("CONTINUATION frames")
		}
	default:
		return nil
	}
	if d.bytes > maxBlockBytes(d.most) {
		return connError{http2.ErrCodeEnhanceYourCalm, "a header block far larger than SETTINGS_MAX_HEADER_LIST_SIZE"}
	}
	return nil
}

func (c *conn) onHeaders(f *http2.HeadersFrame) error {
	depend := f.HasPriority() && f.Priority.StreamDep == f.StreamID
	return c.beginBlock(f.StreamID, f.StreamEnded(), depend, f.HeaderBlockFragment(), f.HeadersEnded())
}

// beginBlock takes the first fragment of a header block, which may be all of it.
func (c *conn) beginBlock(stream uint32, ends, depend bool, fragment []byte, whole bool) error {
	d := &c.block
	if stream%2 == 0 {
		return connError{http2.ErrCodeProtocol, "HEADERS on a stream that is not a client's"}
	}
	d.head, d.stream, d.end, d.depend = newHead(), stream, ends, depend
	d.hpack.SetEmitEnabled(true)
	return c.addBlock(fragment, whole)
}

func (c *conn) onContinuation(f *http2.ContinuationFrame) error {
	return c.addBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *conn) addBlock(fragment []byte, end bool) error {
	d := &c.block
	if _, err := d.hpack.Write(fragment); err != nil {
		return connError{http2.ErrCodeCompression, err.Error()}
	}
	if !end {
		return nil
	}
	if err := d.hpack.Close(); err != nil {
		return connError{http2.ErrCodeCompression, err.Error()}
	}
	h := d.head
	d.head = nil
	c.mu.Lock()
	c.inHeader = 0
	started, err := c.onBlock(h)
	c.mu.Unlock()
	if started == nil {
		h.release()
		return err
	}
	c.srv.workers.run(started)
	if d.opened++; d.opened%yieldAfter == 0 {
		runtime.Gosched()
	}
	return err
}

// onBlock handles a whole header block: a new stream, which it returns, or an
// old one's trailers.
func (c *conn) onBlock(h *head) (*stream, error) {
	d := &c.block
	if c.dying {
		return nil, nil
	}
	if st := c.streams[d.stream]; st != nil {
		return nil, c.onTrailers(st, h)
	}
	if d.stream <= c.lastID {
		known, ours := c.closed.find(d.stream)
		switch {
		case ours:
			return nil, nil // trailers that were sent before the peer knew
		case known:
			return nil, connError{http2.ErrCodeStreamClosed, "HEADERS on a stream that has ended"}
		}
		return nil, connError{http2.ErrCodeProtocol, "a new stream with a number below the newest one's"}
	}
	c.lastID = d.stream
	if c.final {
		return nil, nil // past what the GOAWAY promised
	}
	if d.depend {
		return nil, streamError{d.stream, http2.ErrCodeProtocol, "a stream depends on itself"}
	}
	if len(c.streams) >= c.cfg.maxStreams || c.running >= 2*c.cfg.maxStreams {
		// Handlers of streams that have ended may not have returned yet: a client
		// that replaces all of its streams at once makes no mistake.
		return nil, streamError{d.stream, http2.ErrCodeRefusedStream, "more streams than SETTINGS_MAX_CONCURRENT_STREAMS"}
	}
	if !h.large {
		if reason := h.checkRequest(d.end); reason != "" {
			return nil, streamError{d.stream, http2.ErrCodeProtocol, reason}
		}
	}
	return c.open(h), nil
}

// checkRequest says what is wrong with a request's head, if anything.
func (h *head) checkRequest(end bool) string {
	switch {
	case h.malformed != "":
		return h.malformed
	case h.method == "":
		return "no :method"
	case h.method == "CONNECT" && (h.authority == "" || h.scheme != "" || h.path != ""):
		return "CONNECT needs :authority, and nothing beside"
	case h.method == "CONNECT":
	case h.path == "" || h.scheme != "http" && h.scheme != "https":
		return "no :path, or no :scheme that is served here"
	case h.path[0] != '/' && h.path != "*":
		return ":path is no path"
	}
	if end && h.length > 0 {
		return errShortBody.Error()
	}
	return ""
}

func (c *conn) onTrailers(st *stream, h *head) error {
	switch {
	case st.remoteClosed:
		return streamError{st.id, http2.ErrCodeStreamClosed, "HEADERS after the stream's end"}
	case !c.block.end:
		return streamError{st.id, http2.ErrCodeProtocol, "trailers that do not end the stream"}
	case h.pseudo || h.malformed != "" || h.large:
		return streamError{st.id, http2.ErrCodeProtocol, "malformed trailers: " + h.malformed}
	}
	return st.endRequest(append([]Field(nil), h.fields...))
}
