package listen

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/vitals-rpc/vitals/server/peer"
)

// Defaults of [Options].
const (
	DefaultMaxConnections           = 20_000
	DefaultMaxConnectionsPerAddress = 1_000
)

// Reason says which bound refused a connection.
type Reason string

// The reasons.
const (
	// TooMany is the bound of all connections.
	TooMany Reason = "all"
	// TooManyOfAddress is the bound of one address.
	TooManyOfAddress Reason = "address"
)

// Connections counts the connections of all listeners that were opened together,
// from before the TLS handshake to their end, and refuses those that are too many.
// Its methods are safe for concurrent use; those that look do so on nil too, where
// there are none.
//
// An address that may stand for many callers has no bound of its own: loopback, a
// Unix socket, a trusted proxy. Of what a trusted proxy names by the PROXY
// protocol, the caller's address counts.
type Connections struct {
	max, perAddress int // less than zero: no bound
	proxies         peer.Proxies

	mu        sync.Mutex
	open      int
	byAddress map[netip.Addr]int

	refusedAll, refusedAddress atomic.Int64
}

func newConnections(o *Options) *Connections {
	c := &Connections{max: o.MaxConnections, perAddress: o.MaxConnectionsPerAddress, proxies: o.Proxies, byAddress: map[netip.Addr]int{}}
	if c.max == 0 {
		c.max = min(DefaultMaxConnections, mostFiles()*3/4) // the rest is for history
	}
	if c.perAddress == 0 {
		c.perAddress = DefaultMaxConnectionsPerAddress
	}
	return c
}

// Open is how many connections there are now.
func (c *Connections) Open() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Refused is how many were refused for that reason.
func (c *Connections) Refused(reason Reason) int64 {
	switch {
	case c == nil:
		return 0
	case reason == TooMany:
		return c.refusedAll.Load()
	default:
		return c.refusedAddress.Load()
	}
}

// Enter lets a connection from that address in, or refuses it. Call leave, once,
// when it has ended. It is for what does not come by a listener's Accept, as QUIC.
func (c *Connections) Enter(remote net.Addr) (leave func(), ok bool) {
	ip := c.bounded(remote)
	if !c.enter(ip) {
		return nil, false
	}
	return func() { c.leave(ip) }, true
}

// bounded is the address whose connections are counted apart; not valid where it
// has no bound.
func (c *Connections) bounded(remote net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil || c.perAddress < 0 {
		return netip.Addr{}
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback() || c.proxies.Trusts(remote.String()) {
		return netip.Addr{}
	}
	return ip
}

func (c *Connections) enter(ip netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.max >= 0 && c.open >= c.max {
		c.refusedAll.Add(1)
		return false
	}
	if !c.addAddress(ip) {
		return false
	}
	c.open++
	return true
}

// addAddress needs the lock.
func (c *Connections) addAddress(ip netip.Addr) bool {
	if !ip.IsValid() {
		return true
	}
	if c.byAddress[ip] >= c.perAddress {
		c.refusedAddress.Add(1)
		return false
	}
	c.byAddress[ip]++
	return true
}

func (c *Connections) leave(ip netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	c.removeAddress(ip)
}

// removeAddress needs the lock.
func (c *Connections) removeAddress(ip netip.Addr) {
	if !ip.IsValid() {
		return
	}
	if c.byAddress[ip]--; c.byAddress[ip] == 0 {
		delete(c.byAddress, ip)
	}
}

// enterNamed counts one that is in already for the address that a proxy has named.
func (c *Connections) enterNamed(ip netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addAddress(ip)
}

func (c *Connections) leaveNamed(ip netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeAddress(ip)
}
