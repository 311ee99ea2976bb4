package h2

import (
	"golang.org/x/net/http2"
)

const maxWindow = 1<<31 - 1

// onWindowUpdate lets more DATA go out.
func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	if !c.allowed.updates.spend(c.lastRead) {
		return tooMany("WINDOW_UPDATE frames")
	}
	if f.StreamID == 0 {
		c.sendWindow += int64(f.Increment)
		if c.sendWindow > maxWindow {
			return connError{http2.ErrCodeFlowControl, "WINDOW_UPDATE makes the connection's window overflow"}
		}
		c.pump()
		c.flush()
		return nil
	}
	st := c.streams[f.StreamID]
	if st == nil {
		if c.idle(f.StreamID) {
			return connError{http2.ErrCodeProtocol, "WINDOW_UPDATE for a stream that was never opened"}
		}
		return nil
	}
	st.sendWindow += int64(f.Increment)
	if st.sendWindow > maxWindow {
		return streamError{st.id, http2.ErrCodeFlowControl, "WINDOW_UPDATE makes a window overflow"}
	}
	if len(st.pending) > 0 {
		c.enqueue(st)
		c.pump()
		c.flush()
	}
	return nil
}

// giveBack returns n bytes of the connection's window to the peer, whether a
// handler has read them or nobody ever will. mu is held.
func (c *conn) giveBack(n int) {
	c.credit += int32(n)
	if c.credit >= c.cfg.connWindow/2 && !c.dying {
		c.out.windowUpdate(0, c.credit)
		c.recvWindow += c.credit
		c.credit = 0
		c.flush()
	}
}

// giveBack returns n bytes of the stream's window, as long as the peer may send
// more. mu is held.
func (st *stream) giveBack(n int) {
	st.c.giveBack(n)
	if st.remoteClosed || st.gone {
		return
	}
	st.credit += int32(n)
	if st.credit >= st.c.cfg.streamWindow/2 {
		st.c.out.windowUpdate(st.id, st.credit)
		st.recvWindow += st.credit
		st.credit = 0
		st.c.flush()
	}
}

// line is the streams whose DATA waits for the connection, in order.
type line struct {
	streams []*stream
	head    int
}

func (l *line) len() int { return len(l.streams) - l.head }

func (l *line) push(st *stream) {
	if l.head > 0 && l.head == len(l.streams) {
		l.streams, l.head = l.streams[:0], 0
	}
	l.streams = append(l.streams, st)
}

func (l *line) pop() *stream {
	st := l.streams[l.head]
	l.streams[l.head] = nil
	l.head++
	if l.head > 64 && l.head > len(l.streams)/2 {
		n := copy(l.streams, l.streams[l.head:])
		clear(l.streams[n:])
		l.streams, l.head = l.streams[:n], 0
	}
	return st
}

// enqueue puts a stream that has DATA waiting in line, at its end.
func (c *conn) enqueue(st *stream) {
	if !st.inLine && len(st.pending) > 0 {
		st.inLine = true
		c.line.push(st)
	}
}

// pump sends for the streams in line, a quantum each, as far as the connection's
// window and its buffer go. Handlers sleep through it and wake when all of
// theirs is sent. mu is held.
func (c *conn) pump() {
	for c.line.len() > 0 && c.sendWindow > 0 && c.out.len() < highWater {
		st := c.line.pop()
		st.inLine = false
		if len(st.pending) == 0 {
			continue // its stream has ended
		}
		st.pending = c.send(st, st.pending, quantum)
		st.stalled = now() // not lastRead: a peer with large windows may say nothing for long
		if len(st.pending) == 0 {
			st.sent()
		} else if st.sendWindow > 0 {
			c.enqueue(st)
		}
	}
}

// send sends up to most bytes of p as DATA, as far as both windows go, and
// returns the rest. mu is held.
func (c *conn) send(st *stream, p []byte, most int) []byte {
	n := int(min(int64(len(p)), int64(most), c.sendWindow, st.sendWindow))
	if n <= 0 {
		return p
	}
	c.out.data(st.id, p[:n], false)
	c.sendWindow -= int64(n)
	st.sendWindow -= int64(n)
	c.allowed.updates.earn(4)
	return p[n:]
}
