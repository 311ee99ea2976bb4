package e2e_test

import (
	"testing"
	"time"
)

// TestBadNetwork reports over a network that is cut, slow, and loses
// connections.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.addr)
	a := newRecordingAgent(t, p.url, "web-1", 50*time.Millisecond)
	a.start()
	for range 2 {
		for _, n := range []network{
			{down: true},
			{delay: 200 * time.Millisecond},
			{piece: 100, delay: 10 * time.Millisecond},
			{dropOneIn: 20},
			{piece: 500, delay: time.Millisecond, dropOneIn: 100},
		} {
			p.set(n)
			pause(500*time.Millisecond, 2*time.Second)
			p.set(network{})
			pause(0, time.Second)
		}
	}
	a.settle()
	s.kill()
	checkStored(t, openHistory(t, s.dir), a.truth())
}

// TestHalfOpen loses connections without a word to either end.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.addr)
	a := newRecordingAgent(t, p.url, "web-1", 100*time.Millisecond)
	a.start()
	eventually(t, "the agent reports", func() bool { return a.log.says("msg=reporting") })
	eventually(t, "the agent notices", func() bool {
		p.lose() // also what it has opened meanwhile
		return a.log.says("cannot report")
	})
	a.settle()
	s.kill()
	checkStored(t, openHistory(t, s.dir), a.truth())
}
