package servertest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Gate stands before a server and can be shut, in the ways in which servers fail. It
// listens at one address all its life, open at first.
type Gate struct {
	*Server
	// Front is the host:port at which it listens.
	Front string

	tb      testing.TB
	hanging atomic.Bool
	delay   atomic.Int64
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil when killed
	conns    map[net.Conn]struct{}
}

// NewGate puts a gate before the server, at an address such as 127.0.0.1:0. It is
// gone when the test ends.
func NewGate(tb testing.TB, srv *Server, address string) *Gate {
	tb.Helper()
	g := &Gate{Server: srv, tb: tb, conns: map[net.Conn]struct{}{}}
	g.listen(address)
	tb.Cleanup(func() {
		g.Kill()
		g.running.Wait()
	})
	return g
}

func (g *Gate) listen(addr string) {
	g.tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		g.tb.Fatal(err)
	}
	g.mu.Lock()
	g.listener, g.Front = l, l.Addr().String()
	g.mu.Unlock()
	g.running.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			g.running.Go(func() { g.carry(near) })
		}
	})
}

// Kill is what the end of a process looks like: connections end, none is taken.
func (g *Gate) Kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return
	}
	_ = g.listener.Close()
	g.listener = nil
	for c := range g.conns {
		_ = c.Close()
	}
}

// Revive undoes Kill.
func (g *Gate) Revive() { g.tb.Helper(); g.listen(g.Front) }

// Hang takes connections and passes nothing on.
func (g *Gate) Hang(on bool) { g.hanging.Store(on) }

// Slow delays each answer.
func (g *Gate) Slow(d time.Duration) { g.delay.Store(int64(d)) }

func (g *Gate) killed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener == nil
}

// keep remembers a connection for Kill; false when that has come already.
func (g *Gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		_ = c.Close()
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *Gate) carry(near net.Conn) {
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", g.Addr)
	if err != nil {
		_ = near.Close()
		return
	}
	if !g.keep(near) || !g.keep(far) {
		_ = near.Close()
		_ = far.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { g.pass(near, far, false) })
	both.Go(func() { g.pass(far, near, true) })
	both.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, near)
	delete(g.conns, far)
}

func (g *Gate) pass(from, to net.Conn, answers bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		began := time.Now()
		for g.hanging.Load() || answers && time.Since(began) < time.Duration(g.delay.Load()) {
			time.Sleep(5 * time.Millisecond)
			if g.killed() {
				return
			}
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
