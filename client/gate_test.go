package client_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// gate stands before a real server and can be shut, in the ways in which servers
// fail. It listens at one address all its life.
type gate struct {
	*servertest.Server
	tb      testing.TB
	addr    string
	hanging atomic.Bool
	delay   atomic.Int64
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil when killed
	conns    map[net.Conn]struct{}
}

// newGate starts a server behind a gate that is open.
func newGate(tb testing.TB) *gate {
	tb.Helper()
	return newGateTo(tb, servertest.NewSeeded(tb, server.Options{}))
}

func newGateTo(tb testing.TB, srv *servertest.Server) *gate {
	tb.Helper()
	g := &gate{Server: srv, tb: tb, conns: map[net.Conn]struct{}{}}
	g.listen("127.0.0.1:0")
	tb.Cleanup(func() {
		g.kill()
		g.running.Wait()
	})
	return g
}

func newGates(tb testing.TB, n int) (gates []*gate, targets []string) {
	tb.Helper()
	for range n {
		g := newGate(tb)
		gates, targets = append(gates, g), append(targets, g.addr)
	}
	return gates, targets
}

func (g *gate) listen(addr string) {
	g.tb.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		g.tb.Fatal(err)
	}
	g.mu.Lock()
	g.listener, g.addr = l, l.Addr().String()
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

// kill is what the end of a process looks like: connections end, none is taken.
func (g *gate) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return
	}
	g.listener.Close()
	g.listener = nil
	for c := range g.conns {
		c.Close()
	}
}

// revive undoes kill.
func (g *gate) revive() { g.tb.Helper(); g.listen(g.addr) }

// hang takes connections and passes nothing on.
func (g *gate) hang(on bool) { g.hanging.Store(on) }

// slow delays each answer.
func (g *gate) slow(d time.Duration) { g.delay.Store(int64(d)) }

func (g *gate) killed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener == nil
}

// keep remembers a connection for kill; false when that has come already.
func (g *gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		c.Close()
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) carry(near net.Conn) {
	far, err := net.Dial("tcp", g.Server.Addr)
	if err != nil {
		near.Close()
		return
	}
	if !g.keep(near) || !g.keep(far) {
		near.Close()
		far.Close()
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

func (g *gate) pass(from, to net.Conn, answers bool) {
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

// calls is how many GetMetric the server behind has answered.
func (g *gate) calls() int { return len(g.Log.Lines("MonitoringService/GetMetric")) }
