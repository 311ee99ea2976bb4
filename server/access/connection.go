package access

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"

	"github.com/vitals-rpc/vitals/server/account"
)

// Connection is what the connection tells of a caller, for transports that pass
// on the headers alone.
type Connection struct {
	settled   bool
	remote    string
	tls       *tls.ConnectionState
	unix      bool
	onHost    bool                // it came in at an address of this machine's own
	forwarded bool                // something says that it was passed on, trusted or not
	request   *http.Request       // nil where none was made of the call
	last      *account.LastSecret // that came by the connection
}

// NewConnection is one of which nothing is known yet.
func NewConnection() *Connection { return &Connection{last: &account.LastSecret{}} }

// Settle says what the connection is: its ends, and its state of TLS or nil. Calls
// over it that have no http.Request are of who is at its other end. It must be
// called before them, and once.
func (c *Connection) Settle(local net.Addr, remote string, state *tls.ConnectionState) {
	c.settled = true
	_, c.unix = local.(*net.UnixAddr)
	c.remote, c.tls, c.onHost, c.forwarded = remote, state, isOnHost(local), !isLoopback(remote)
}

type connectionKey struct{}

// WithConnection lets calls know by what connection they came.
func WithConnection(ctx context.Context, c *Connection) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(ctx context.Context) *Connection {
	c, _ := ctx.Value(connectionKey{}).(*Connection)
	return c
}

// Connection is the middleware that notes by what connection a request came. It
// goes around everything, what removes headers of proxies included. Where all that
// matters of the request is the connection's, that is known already.
func (g *Guard) Connection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		whole := connectionOf(r.Context())
		if whole != nil && whole.settled && r.Header["Cookie"] == nil && !hasForwarding(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		c := &Connection{request: r}
		if whole != nil {
			c.last = whole.last
		}
		c.Settle(local, r.RemoteAddr, r.TLS)
		c.forwarded = c.forwarded || hasForwarding(r.Header)
		next.ServeHTTP(w, r.WithContext(WithConnection(r.Context(), c)))
	})
}

// isOnHost reports whether a connection came in at a loopback address or a Unix
// socket.
func isOnHost(local net.Addr) bool {
	switch addr := local.(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UDPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// isLoopback reports whether a connection comes from this machine. One that came
// in at an address of its own and does not was passed on, by the PROXY protocol.
func isLoopback(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	return err != nil || ap.Addr().Unmap().IsLoopback() // a Unix socket has no address
}

// hasForwarding reports whether a header says that the request may be from
// elsewhere.
func hasForwarding(header http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if len(header[name]) > 0 && header[name][0] != "" {
			return true
		}
	}
	return false
}
