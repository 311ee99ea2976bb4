package listen

import (
	"net"

	"github.com/pires/go-proxyproto"
)

// behindProxies reads the PROXY protocol, version 1 or 2, of those trusted
// proxies that speak it, so that a connection's remote address is the caller's.
// From everyone else it is no HTTP, and refused as such.
func (o *Options) behindProxies(l net.Listener) net.Listener {
	if !o.Proxies.Any() {
		return l
	}
	return namedListener{&proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ConnPolicy: func(conn proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if o.Proxies.Trusts(conn.Upstream.String()) {
				return proxyproto.USE, nil
			}
			return proxyproto.SKIP, nil
		},
	}, o.connections}
}
