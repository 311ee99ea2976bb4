package h2

import (
	"os"
	"time"

	"golang.org/x/net/http2"
)

// A connection has one timer for all its timeouts. What goes on only notes when
// it happened; the timer looks at the notes. So a frame costs no timer, and a
// timeout comes up to a quarter late.

// received notes that the peer lives.
func (c *conn) received() {
	at := now()
	c.mu.Lock()
	c.lastRead, c.pingSent = at, 0
	if c.shrunk {
		c.shrunk = false
		c.watch() // the timer has been left to sleep
	}
	c.mu.Unlock()
}

// interrupted reports whether a read has timed out only so that the reader gives
// its buffer back.
func (c *conn) interrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shrink || c.dying {
		return false
	}
	c.shrink, c.shrunk = false, true
	return c.nc.SetReadDeadline(time.Time{}) == nil
}

// watch sees to it that the timer runs soon. mu is held.
func (c *conn) watch() {
	if c.lost {
		return
	}
	if due := c.lastRead.add(2 * c.tick); c.timerDue > due {
		c.timerDue = due
		c.timer.Reset(max(due.since(now()), c.tick))
	}
}

// onTimer ends what has taken too long.
func (c *conn) onTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return
	}
	at := now()
	c.checkConn(at)
	for _, st := range c.streams {
		c.checkStream(st, at)
	}
	if c.lost {
		return
	}
	next := c.tick
	if len(c.streams) == 0 && c.shrunk && c.gotSettings && c.inHeader == 0 && !c.dying && c.draining == 0 {
		next = c.quiet(at)
	}
	if c.draining != 0 || c.dying {
		next = min(next, drainTick)
	}
	c.timerDue = at.add(next)
	c.timer.Reset(next)
}

// drainTick is how often a connection looks after itself that is to end: its
// waits are of a second.
const drainTick = 250 * time.Millisecond

// quiet is how long an idle connection may be left alone.
func (c *conn) quiet(at instant) time.Duration {
	wait := time.Hour
	until := func(from instant, d time.Duration) {
		if d > 0 {
			wait = min(wait, from.add(d).since(at))
		}
	}
	until(c.idleSince, c.cfg.idleTimeout)
	until(c.begun, c.maxAge)
	if c.pingSent != 0 {
		until(c.pingSent, c.cfg.pingTimeout)
	} else {
		until(c.lastRead, c.cfg.pingAfter)
	}
	return max(wait, c.tick)
}

func over(from, at instant, limit time.Duration) bool {
	return limit > 0 && from != 0 && at.since(from) >= limit
}

// checkConn looks after the connection's own timeouts.
func (c *conn) checkConn(at instant) {
	switch {
	case c.dying:
		if c.writeStart != 0 && over(c.writeStart, at, 2*c.cfg.linger) {
			c.lose(errStalled)
		}
	case over(c.writeStart, at, c.cfg.writeTimeout):
		_ = c.nc.SetWriteDeadline(time.Unix(1, 0)) // fails when it is closed, which is as well
	case !c.gotSettings && over(c.begun, at, c.cfg.headerTimeout):
		c.die(http2.ErrCodeProtocol, "no SETTINGS came")
	case over(c.inHeader, at, c.cfg.headerTimeout):
		c.die(http2.ErrCodeProtocol, "a header that does not end")
	case over(c.pingSent, at, c.cfg.pingTimeout):
		c.lose(errConnLost) // nobody is there to be told
	case c.draining != 0 && !c.final && at.since(c.draining) >= time.Second:
		c.finishDrain() // its PING is not answered
	case c.draining != 0 && c.maxAge > 0 && at.since(c.begun) >= c.maxAge && over(c.draining, at, c.cfg.maxAgeGrace):
		c.die(http2.ErrCodeNo, "the connection has reached its greatest age")
	case c.draining == 0 && over(c.begun, at, c.maxAge):
		c.startDrain()
	case c.draining == 0 && len(c.streams) == 0 && over(c.idleSince, at, c.cfg.idleTimeout):
		c.startDrain()
	case c.pingSent == 0 && over(c.lastRead, at, c.cfg.pingAfter):
		c.pingSent = at
		c.out.ping(keepAlivePing)
		c.flush()
	}
	if len(c.streams) == 0 && !c.shrunk && !c.shrink && !c.dying && at.since(c.lastRead) > 2*c.tick {
		c.shrink = true
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader notices
	}
}

// checkStream looks after one stream's.
func (c *conn) checkStream(st *stream, at instant) {
	switch {
	case len(st.pending) > 0 && over(st.stalled, at, c.cfg.stallTimeout):
		st.reset(http2.ErrCodeEnhanceYourCalm, errStalled)
	case st.declared > 0 && !st.remoteClosed && st.body == nil && !st.bodyClosed && over(st.bodyAt, at, c.cfg.bodyTimeout):
		st.reset(http2.ErrCodeCancel, errBodyStalled)
	}
}

// watchDeadline sees to it that the stream's deadlines are noticed by who waits.
// mu is held.
func (st *stream) watchDeadline() {
	due := st.readDeadline
	if due == 0 || st.writeDeadline != 0 && st.writeDeadline < due {
		due = st.writeDeadline
	}
	if due == 0 {
		return
	}
	wait := max(due.since(now()), 0)
	if wait == 0 && !st.writeDeadline.passed() {
		return
	}
	if st.deadline == nil {
		st.deadline = time.AfterFunc(wait, st.onDeadline)
	} else {
		st.deadline.Reset(wait)
	}
}

func (st *stream) onDeadline() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if st.gone || st.localClosed {
		return
	}
	st.readable.Broadcast()
	if st.writeDeadline.passed() {
		st.reset(http2.ErrCodeInternal, os.ErrDeadlineExceeded)
	}
}
