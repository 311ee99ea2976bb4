package e2e_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy is the network between an agent and the server, which the test makes
// bad. The zero network is a good one.
type proxy struct {
	tb       testing.TB
	addr     string
	url      string
	target   string
	listener net.Listener
	done     sync.WaitGroup

	mu      sync.Mutex
	network network
	links   map[*link]struct{}
}

// network is how the proxy treats what passes.
type network struct {
	// down ends each connection at once.
	down bool
	// piece is how many bytes pass at a time, delay how long each waits.
	piece int
	delay time.Duration
	// dropOneIn ends the connection before one piece in that many.
	dropOneIn int
}

// link is a connection through the proxy.
type link struct {
	near, far net.Conn
	lost      chan struct{} // closed when nothing passes any more, without a word
}

func newProxy(tb testing.TB, target string) *proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{tb: tb, addr: l.Addr().String(), target: target, listener: l, links: map[*link]struct{}{}}
	p.url = "http://" + p.addr
	p.done.Go(p.accept)
	tb.Cleanup(func() {
		l.Close()
		p.set(network{down: true})
		p.done.Wait()
	})
	return p
}

// set changes the network. Connections end when it goes down.
func (p *proxy) set(n network) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network = n
	if n.down {
		for l := range p.links {
			l.near.Close()
			l.far.Close()
		}
	}
}

// lose makes the connections that there are pass nothing for ever, and tells
// neither end: a NAT gateway that has forgotten them. New ones are good.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		select {
		case <-l.lost:
		default:
			close(l.lost)
		}
	}
}

func (p *proxy) state() network {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.state().down {
			near.Close()
			continue
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			near.Close()
			continue
		}
		l := &link{near, far, make(chan struct{})}
		p.mu.Lock()
		p.links[l] = struct{}{}
		p.mu.Unlock()
		p.done.Go(func() { p.carry(l) })
	}
}

// carry passes both directions until one ends.
func (p *proxy) carry(l *link) {
	var both sync.WaitGroup
	both.Go(func() { p.pass(l, l.near, l.far) })
	both.Go(func() { p.pass(l, l.far, l.near) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *proxy) pass(l *link, from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for data := buf[:n]; len(data) > 0; {
			net := p.state()
			piece := data
			if net.piece > 0 {
				piece = data[:min(net.piece, len(data))]
			}
			time.Sleep(net.delay)
			if net.dropOneIn > 0 && rand.N(net.dropOneIn) == 0 {
				return
			}
			select {
			case <-l.lost: // it reads on, so that the sender notices nothing
			default:
				if _, err := to.Write(piece); err != nil {
					return
				}
			}
			data = data[len(piece):]
		}
		if err != nil {
			return
		}
	}
}
