package h2

import (
	"errors"
	"net"
	"os"
	"runtime"
	"time"
)

// writeLoop is the one goroutine that writes to the socket. It yields once
// before it takes what has been gathered: handlers that are about to answer get
// to do so, and one system call carries many answers.
func (c *conn) writeLoop() {
	defer close(c.written)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for c.out.len() == 0 && !c.closeWritten {
			if c.lost {
				return
			}
			c.wake.Wait()
		}
		if c.out.len() == 0 {
			c.halfClose()
			return
		}
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		buf := c.out.take()
		if buf == nil {
			continue // the connection was lost meanwhile
		}
		c.pump() // there is room again
		c.writeStart = now()
		c.mu.Unlock()
		err := c.write(buf.b)
		putBuffer(buf)
		c.mu.Lock()
		c.writeStart = 0
		if err != nil {
			c.lose(err)
			return
		}
	}
}

// write writes all of p. A write is not bounded by a deadline of its own, whose
// setting costs as much as a small write; the connection's timer cuts one that
// takes too long, and what has got through by then buys it more time.
func (c *conn) write(p []byte) error {
	for {
		n, err := c.nc.Write(p)
		if err == nil || n == 0 || c.tls != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err // a TLS connection is beyond repair after a timeout
		}
		p = p[n:]
		c.mu.Lock()
		if c.dying {
			c.mu.Unlock()
			return err
		}
		c.writeStart = now()
		_ = c.nc.SetWriteDeadline(time.Time{}) // fails when it is closed, which Write will tell
		c.mu.Unlock()
	}
}

// halfClose ends the server's half after its last frame, and gives the peer a
// moment to read it: closing outright while bytes of the peer are unread would
// reset the connection and take that frame along.
func (c *conn) halfClose() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		c.mu.Unlock()
		_ = half.CloseWrite() // an error means that it is closed, which is as well
		c.mu.Lock()
	} else {
		c.lose(net.ErrClosed)
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(c.cfg.linger))
}
