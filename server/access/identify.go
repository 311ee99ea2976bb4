package access

import (
	"crypto/tls"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/account"
)

// header is what is asked of headers, whatever transport has them.
type header interface{ Get(name string) string }

// The names that tokens come under.
const (
	authorization = "Authorization"
	bearer        = "Bearer "
)

// identify finds out who calls. An error means that the caller has shown
// something that does not hold; who shows nothing is anonymous.
func (g *Guard) identify(h header, conn *Connection) (account.Identity, error) {
	if value := h.Get(authorization); value != "" {
		return g.byToken(value, conn)
	}
	if id, ok := g.bySession(h, conn); ok {
		return id, nil
	}
	if conn != nil && conn.tls != nil {
		if id, ok := g.byCertificate(conn.tls); ok {
			return id, nil
		}
	}
	return g.anonymous(conn), nil
}

func (g *Guard) byToken(value string, conn *Connection) (account.Identity, error) {
	if len(value) < len(bearer) || !strings.EqualFold(value[:len(bearer)], bearer) {
		return account.Identity{}, g.refuse(connect.CodeUnauthenticated, "the Authorization header is not of the form 'Bearer vitals_...'")
	}
	var last *account.LastSecret
	if conn != nil {
		last = conn.last
	}
	id, err := g.opts.Directory.Authenticate(strings.TrimSpace(value[len(bearer):]), last)
	if err != nil {
		return id, g.refuse(connect.CodeUnauthenticated, err.Error())
	}
	return id, nil
}

// bySession takes the page's cookie, from the page itself only.
func (g *Guard) bySession(h header, conn *Connection) (account.Identity, bool) {
	secret := sessionSecret(h)
	if secret == "" || conn == nil || conn.request == nil || !fromOwnPage(conn.request) {
		return account.Identity{}, false
	}
	id, err := g.opts.Directory.Authenticate(secret, conn.last)
	if err != nil || id.User == 0 {
		// A cookie stays in the browser when its session has ended. Its bearer is
		// anonymous then, and so may sign in again.
		return account.Identity{}, false
	}
	id.By = account.BySession
	return id, true
}

func (g *Guard) byCertificate(state *tls.ConnectionState) (account.Identity, bool) {
	if len(state.VerifiedChains) == 0 {
		return account.Identity{}, false
	}
	leaf := state.VerifiedChains[0][0]
	for _, c := range g.opts.Certificates {
		if id, ok := c.identity(leaf.Subject.CommonName); ok {
			id.Expires = leaf.NotAfter
			return id, true
		}
	}
	return account.Identity{}, false
}

// anonymous is what someone may do who shows nothing. Without accounts, whoever
// is on the server's own machine may do everything; but what a proxy there passes
// on may be from anywhere.
func (g *Guard) anonymous(conn *Connection) account.Identity {
	id := account.Identity{Name: string(account.Anonymous), By: account.Anonymous}
	open := conn != nil && conn.onHost && !g.opts.Directory.HasAdmin()
	switch {
	case open && !conn.forwarded:
		id.Role = account.Admin
	case open, g.opts.InsecureAnonymous, g.isVouchedFor(conn):
		id.Role = account.Operator
	case g.opts.AnonymousViewer:
		id.Role = account.Viewer
	}
	return id
}

// isVouchedFor reports whether an authority of --tls-client-ca has signed for the
// caller, where neither accounts nor --client-cert-role say what that means.
func (g *Guard) isVouchedFor(conn *Connection) bool {
	return conn != nil && conn.tls != nil && len(conn.tls.VerifiedChains) > 0 &&
		len(g.opts.Certificates) == 0 && !g.opts.Directory.HasAdmin()
}

// peerOf is the address that a request came from.
func peerOf(conn *Connection) string {
	if conn == nil {
		return ""
	}
	return conn.remote
}

// mustSignIn is what someone is told who has shown nothing and may not go on.
func (g *Guard) mustSignIn() string {
	if !g.opts.Directory.HasAdmin() {
		return "this server has no accounts yet, and what you ask for needs one: on its machine, 'vitals user add NAME --role admin' makes the first"
	}
	return "this needs a token: send it as 'Authorization: Bearer vitals_...' (with vitals: 'vitals login', --token-file or VITALS_TOKEN)"
}
