package h2

import (
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// stream is one request and its answer. It is at once what the handler knows as
// the request's context and body and as the response, which are names for the
// same memory: one allocation in place of four. It is never used again for
// another request, since handlers may keep any of these; only its buffers are.
//
// Fields below mu's line are guarded by the connection's mu, those of the
// response before its first flush belong to the handler.
type stream struct {
	c    *conn
	id   uint32
	head *head // until the request is made of it

	ctx contextState

	// Of the handler's goroutine.
	req     *http.Request
	header  http.Header // of the response
	resp    response
	isHead  bool
	ended   bool // by a Direct
	expects bool // 100-continue, not yet sent

	// Guarded by c.mu from here on.
	gone         bool // reset or the connection lost: nothing is sent any more
	remoteClosed bool // the request has ended
	localClosed  bool // our END_STREAM is in the outbox
	handlerOver  bool

	err error // what a handler is told that still writes

	// The request's body.
	body       *buffer // what has not been read begins at bodyRead
	bodyRead   int
	bodyErr    error // after it: io.EOF, or why there is no more
	bodyClosed bool  // by the handler
	bodyAt     instant
	declared   int64 // content-length, or -1
	received   int64
	recvWindow int32
	credit     int32
	trailersIn []Field
	readable   sync.Cond

	// The response's.
	sendWindow int64
	pending    []byte // DATA that waits for a window
	owned      *buffer
	ending     bool // END_STREAM, and the trailers, follow pending
	trailers   []Field
	// Room for the trailers that gRPC has, so that they cost no allocation.
	trailerSpace [2]Field
	inLine       bool
	stalled      instant // when pending last became shorter
	writable     sync.Cond

	readDeadline, writeDeadline instant
	readTimeout                 time.Duration // of who reads
	readTimeoutNew              bool          // it has no deadline yet
	deadline                    *time.Timer
}

// open begins a stream. mu is held.
func (c *conn) open(h *head) *stream {
	st := &stream{c: c, id: c.block.stream, head: h, declared: h.length,
		recvWindow: c.cfg.streamWindow, sendWindow: c.initialWindow, bodyAt: c.lastRead}
	st.readable.L, st.writable.L = &c.mu, &c.mu
	if c.block.end {
		st.remoteClosed, st.bodyErr = true, io.EOF
	}
	if d := c.cfg.requestTimeout; d > 0 {
		st.readDeadline = c.lastRead.add(d)
	}
	if d := c.cfg.responseTimeout; d > 0 {
		st.writeDeadline = c.lastRead.add(d)
		st.watchDeadline()
	}
	c.streams[st.id] = st
	c.running++
	c.idleSince = 0
	if !c.active {
		c.active = true
		c.state(http.StateActive)
	}
	c.watch()
	return st
}

// sent is called when all of pending is in the outbox.
func (st *stream) sent() {
	if st.ending {
		st.finish()
		return
	}
	st.writable.Broadcast()
}

// finish puts the response's end into the outbox: the trailers, or END_STREAM
// alone. mu is held.
func (st *stream) finish() {
	c := st.c
	if len(st.trailers) > 0 {
		c.out.headers(st.id, true, func(o *outbox) {
			for _, f := range st.trailers {
				o.field(f.Name, f.Value)
			}
		})
	} else {
		c.out.data(st.id, nil, true)
	}
	st.endResponse()
}

// endResponse is called when END_STREAM is in the outbox.
func (st *stream) endResponse() {
	st.localClosed = true
	putBuffer(st.owned)
	st.owned, st.pending, st.trailers = nil, nil, nil
	if !st.remoteClosed {
		// The request is of no use any more: RFC 9113, section 8.1.
		st.c.out.reset(st.id, http2.ErrCodeNo)
		st.c.closed.add(st.id, true)
		st.gone = true
		st.dropBody(errBodyClosed)
	}
	st.c.flush()
	st.closeIfDone()
}

// closeIfDone takes the stream off the connection when both sides have ended.
func (st *stream) closeIfDone() {
	if st.localClosed && (st.remoteClosed || st.gone) {
		st.close()
	}
}

// close ends the stream's life on the connection, not that of its handler.
func (st *stream) close() {
	c := st.c
	if c.streams[st.id] != st {
		return
	}
	delete(c.streams, st.id)
	c.closed.add(st.id, false)
	if st.deadline != nil && st.handlerOver {
		st.deadline.Stop()
	}
	if len(c.streams) == 0 {
		c.idleSince = max(now(), 1)
		c.watch()
		c.active = false
		c.state(http.StateIdle)
		c.endDrain()
	}
}

// reset ends a stream by our RST_STREAM. mu is held.
func (st *stream) reset(code http2.ErrCode, why error) {
	if st.gone || st.c.streams[st.id] != st {
		return
	}
	st.c.out.reset(st.id, code)
	st.c.closed.add(st.id, true)
	st.c.flush()
	st.abort(why)
}

// abort ends a stream without a word to the peer: it has reset the stream, or has
// gone. mu is held.
func (st *stream) abort(why error) {
	if st.gone {
		return
	}
	st.gone, st.err = true, why
	st.dropBody(why)
	st.pending, st.trailers = nil, nil
	if st.handlerOver {
		putBuffer(st.owned)
		st.owned = nil
	}
	st.writable.Broadcast()
	st.cancel()
	st.close()
}

// dropBody forgets what the handler has not read of the request, and gives its
// window back: bytes that nobody reads must not slow the connection's other
// streams. mu is held.
func (st *stream) dropBody(why error) {
	if st.bodyErr == nil || st.body != nil { // a request cut short must not look like a whole one
		st.bodyErr = why
	}
	if st.body != nil {
		st.c.giveBack(len(st.body.b) - st.bodyRead)
		putBuffer(st.body)
		st.body, st.bodyRead = nil, 0
	}
	st.readable.Broadcast()
}
