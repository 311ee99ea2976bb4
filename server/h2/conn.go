package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// conn is one connection. Its reader runs in the goroutine that net/http gives
// it, its writer in another, and each request in one of the workers'. What they
// share is under mu, which is never held while a socket or a handler is waited
// for.
type conn struct {
	srv     *Server
	cfg     *config
	hs      *http.Server
	nc      net.Conn
	handler http.Handler
	base    context.Context //nolint:containedctx // what BaseContext and ConnContext made; streams' contexts are over it
	tls     *tls.ConnectionState
	remote  string
	begun   instant

	// The reader's own.
	in       reader
	framer   *http2.Framer
	block    blockDecoder
	allowed  allowances
	inHeader instant // when the header block began that is not complete yet

	written   chan struct{} // closed when the writer has ended
	heldUntil atomic.Int64  // an instant: nothing is read before it

	mu   sync.Mutex
	wake sync.Cond // the writer waits for something to write
	out  outbox

	streams map[uint32]*stream
	closed  memory // streams that have ended
	lastID  uint32 // the newest stream of the peer's
	running int    // handlers, those of streams that were reset too
	line    line   // streams whose DATA waits for the connection's window or buffer

	sendWindow    int64 // how much DATA the peer takes, over all streams
	initialWindow int64 // and of a new stream
	recvWindow    int32 // how much DATA the peer may send
	credit        int32 // has been used up, and not been given back yet
	gotSettings   bool

	lastRead     instant
	idleSince    instant // zero while there are streams
	pingSent     instant
	writeStart   instant // when the write began that is under way
	timer        *time.Timer
	timerDue     instant
	tick         time.Duration
	shrink       bool // the reader is to give its buffer back
	shrunk       bool
	maxAge       time.Duration
	draining     instant // when the first GOAWAY was sent
	lastAccepted uint32  // what the second said, once it is sent
	final        bool    // it is
	dying        bool    // the last GOAWAY is in the outbox: nothing that comes in counts
	closeWritten bool    // the writer ends when it has written what there is
	lost         bool    // the socket is closed
	active       bool    // as ConnState was told
	drainAtOnce  bool    // it came while the server was stopping
	unsafe       bool    // its TLS cipher is one that HTTP/2 forbids
}

// initialWindow is every flow-control window's size before anyone says otherwise.
const initialWindow = 65535

func newConn(base context.Context, s *Server, nc net.Conn, h http.Handler) *conn {
	c := &conn{
		srv: s, cfg: &s.cfg, hs: s.hs, nc: nc, handler: h, base: base,
		remote: nc.RemoteAddr().String(), begun: now(),
		written: make(chan struct{}),
		streams: make(map[uint32]*stream),
		allowed: newAllowances(s.cfg.maxStreams),

		sendWindow: initialWindow, initialWindow: initialWindow, recvWindow: s.cfg.connWindow,
		tick: s.tick, maxAge: s.age(),
	}
	c.wake.L = &c.mu
	c.lastRead, c.idleSince = c.begun, c.begun
	c.in = reader{conn: nc, received: c.received, interrupted: c.interrupted}
	c.framer = http2.NewFramer(nil, &c.in)
	c.framer.SetMaxReadFrameSize(s.cfg.frameSize)
	c.block.init(c)
	c.out.init()
	c.out.hpack.SetMaxDynamicTableSizeLimit(s.cfg.encodeTableSize)
	return c
}

// serve runs the connection to its end. The preface has been read.
func (c *conn) serve() {
	stop := context.AfterFunc(c.base, c.cancelAll)
	defer stop()
	c.greet()
	go c.writeLoop()
	c.end(c.readLoop())
	<-c.written
	c.in.release()
}

// greet says the server's settings, and larger windows than everyone begins
// with.
func (c *conn) greet() {
	c.state(http.StateActive) // as net/http does for a new one
	c.state(http.StateIdle)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.settings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.cfg.maxStreams)},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(c.cfg.streamWindow)},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: c.cfg.frameSize},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.cfg.maxHeaderBytes)},
		http2.Setting{ID: http2.SettingHeaderTableSize, Val: c.cfg.decodeTableSize},
	)
	if c.cfg.connWindow > initialWindow {
		c.out.windowUpdate(0, c.cfg.connWindow-initialWindow)
	}
	c.timer = time.AfterFunc(c.tick, c.onTimer)
	c.timerDue = now().add(c.tick)
	if c.unsafe {
		c.die(http2.ErrCodeInadequateSecurity, "the TLS cipher is one that HTTP/2 forbids")
	}
	if c.drainAtOnce {
		c.startDrain()
	}
	c.flush()
}

// flush tells the writer that there is something to write.
func (c *conn) flush() { c.wake.Signal() }

// end finishes what the reader's end left: streams whose caller is gone.
func (c *conn) end(err error) {
	var mistake connError
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.As(err, &mistake) && !c.dying {
		c.cfg.countError("conn_" + mistake.code.String())
		c.logf("http2: server connection error from %s: %s", c.remote, mistake.reason)
		c.die(mistake.code, mistake.reason)
		c.mu.Unlock()
		c.drainSocket()
		c.mu.Lock()
	}
	c.lose(errConnLost)
	c.timer.Stop()
}

// die says why the connection ends and has the writer close it once that is
// said. mu is held.
func (c *conn) die(code http2.ErrCode, reason string) {
	if c.dying {
		return
	}
	c.dying = true
	last := c.lastID
	if c.final {
		last = c.lastAccepted
	}
	c.out.goAway(last, code, reason)
	c.closeWritten = true
	for _, st := range c.streams {
		st.abort(errServerClosed)
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(max(c.cfg.linger, time.Millisecond))) // a peer that does not read is not waited for
	c.flush()
}

// drainSocket reads what the peer still sends until it has seen our end, or for
// as long as a connection may linger.
func (c *conn) drainSocket() {
	_ = c.nc.SetReadDeadline(time.Now().Add(2 * c.cfg.linger))
	c.in.release()
	buf := getBuffer(4 << 10)
	defer putBuffer(buf)
	_, _ = io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{c.nc}, buf.b[:cap(buf.b)]) // whatever ends it, it has ended
}

type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

// lose closes the socket and ends all streams. mu is held.
func (c *conn) lose(err error) {
	if c.lost {
		return
	}
	c.lost, c.dying = true, true
	for _, st := range c.streams {
		st.abort(err)
	}
	putBuffer(c.out.take())
	_ = c.nc.Close() // there is no more to say
	c.flush()
}

// cancelAll ends the contexts of all requests, as when the server's own base
// context has ended.
func (c *conn) cancelAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range c.streams {
		st.cancel()
	}
}

// state tells http.Server.ConnState.
func (c *conn) state(s http.ConnState) {
	if c.hs.ConnState != nil {
		c.hs.ConnState(c.nc, s)
	}
}

func (c *conn) logf(format string, args ...any) {
	if c.hs.ErrorLog != nil {
		c.hs.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}
