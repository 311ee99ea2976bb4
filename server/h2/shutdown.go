package h2

import (
	"golang.org/x/net/http2"
)

// The data of our PINGs, by which their answers are known.
var (
	keepAlivePing = [8]byte{'v', 'i', 't', 'a', 'l', 's', 0, 1}
	drainPing     = [8]byte{'v', 'i', 't', 'a', 'l', 's', 0, 2}
)

const maxStreamID = 1<<31 - 1

// startDrain asks the client to open no more streams: a GOAWAY that names the
// largest stream there can be, so that what is already on its way is served, and
// a PING. When the answer to that is here, so is all that was sent before the
// client knew, and a second GOAWAY says which stream was the last. mu is held.
func (c *conn) startDrain() {
	if c.draining != 0 || c.dying {
		return
	}
	if c.timer == nil {
		c.drainAtOnce = true // our SETTINGS come first
		return
	}
	c.draining = max(now(), 1)
	c.out.goAway(maxStreamID, http2.ErrCodeNo, "")
	c.out.ping(drainPing)
	c.flush()
	c.timer.Reset(drainTick)
}

func (c *conn) onPingAck(data [8]byte) {
	if data == drainPing && c.draining != 0 {
		c.finishDrain()
	}
}

// finishDrain says which stream is the last. mu is held.
func (c *conn) finishDrain() {
	if c.final || c.dying {
		return
	}
	c.final, c.lastAccepted = true, c.lastID
	c.out.goAway(c.lastID, http2.ErrCodeNo, "")
	c.flush()
	c.endDrain()
}

// endDrain closes the connection once the last stream of it has ended. mu is
// held.
func (c *conn) endDrain() {
	if !c.final || len(c.streams) > 0 || c.dying {
		return
	}
	c.dying, c.closeWritten = true, true
	c.flush()
}
