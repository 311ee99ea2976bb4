// Package peer knows who calls: the caller's true address, also behind proxies
// that are trusted to say it, and the certificate that it showed. Logs, limits and
// roles ask [From], and nothing else.
package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strconv"
)

// Peer is who made a request.
type Peer struct {
	// IP is the caller's address; not valid where it came by a unix socket.
	IP netip.Addr
	// Port is the caller's; 0 where a proxy did not say it.
	Port uint16
	// Via is the address of the proxy that the request came by; not valid where
	// there was none, or none over IP.
	Via netip.Addr
	// Proxied says that a trusted proxy passed the request on and named the caller.
	Proxied bool
	// Secure says that the caller speaks TLS, to this server or to the proxy.
	Secure bool
	// Certificate is what the caller showed of itself and an authority of
	// --tls-client-ca signed; nil where there is none. It is shared: do not
	// change it.
	Certificate *x509.Certificate

	found bool // by Direct
}

// String is the address for people and logs: 192.0.2.7:51234, 192.0.2.7 where the
// port is not known, "unix" for a unix socket.
func (p Peer) String() string {
	switch {
	case !p.IP.IsValid():
		return "unix"
	case p.Port == 0:
		return p.IP.String()
	}
	return netip.AddrPortFrom(p.IP, p.Port).String()
}

// Subject is the distinguished name of the caller's certificate (RFC 2253), such as
// CN=agent-7,O=Example; empty without one.
func (p Peer) Subject() string {
	if p.Certificate == nil {
		return ""
	}
	return p.Certificate.Subject.String()
}

type key struct{}

// From returns who made the request that ctx belongs to; false outside of one.
func From(ctx context.Context) (Peer, bool) {
	p, ok := ctx.Value(key{}).(*Peer)
	if !ok {
		return Peer{}, false
	}
	return *p, true
}

// With lets [From] know who makes the calls of a connection. p may be filled in
// later, before there is a call; it must not change then.
func With(ctx context.Context, p *Peer) context.Context { return context.WithValue(ctx, key{}, p) }

// Direct is who is at the other end of a connection, at an address in the form of
// net.Addr's String.
func Direct(remote string, state *tls.ConnectionState) Peer {
	p := Peer{Secure: state != nil, found: true}
	if address, err := netip.ParseAddrPort(remote); err == nil {
		p.IP, p.Port = address.Addr().Unmap().WithZone(""), address.Port()
	}
	if state != nil && len(state.VerifiedChains) > 0 {
		p.Certificate = state.PeerCertificates[0]
	}
	return p
}

// Identify finds out who calls and lets [From] know. The request's RemoteAddr and
// Host become the caller's, for those who look there. What a caller that is no
// trusted proxy says of forwarding is removed from its request.
func Identify(next http.Handler, trusted Proxies) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known, ok := r.Context().Value(key{}).(*Peer); ok && known.found && !hasForwarding(r.Header) && !trusted.trusts(known.IP) {
			next.ServeHTTP(w, r) // it is who is at the other end of the connection
			return
		}
		p := Direct(r.RemoteAddr, r.TLS)
		known := &Peer{}
		passed := r.WithContext(With(r.Context(), known)) // a copy
		if trusted.trusts(p.IP) {
			p = forwarded(passed, p, trusted)
			if p.Proxied {
				passed.RemoteAddr = net.JoinHostPort(p.IP.String(), strconv.Itoa(int(p.Port)))
			}
		} else {
			passed.Header = without(r.Header)
		}
		*known = p
		next.ServeHTTP(w, passed)
	})
}
