package access

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

// Site is the middleware that refuses what a browser was lured into: a request
// under a host name that is not the server's (DNS rebinding: a name of the
// attacker's that suddenly leads here, so that the browser takes the attacker's
// page for the server's own), and one that another site's page sends.
//
// Who brings a token in the Authorization header is let through under any name:
// no page of an attacker's has one.
func (g *Guard) Site(next http.Handler) http.Handler {
	errorWriter := connecthttp.NewErrorWriter()
	refuse := func(w http.ResponseWriter, r *http.Request, reason, text string) {
		g.refused.WithLabelValues(reason).Inc()
		err := connect.NewError(connect.CodePermissionDenied, text)
		if errorWriter.IsSupported(r) {
			_ = errorWriter.Write(w, r, err) // the caller is gone
			return
		}
		refuseHTTP(w, err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connectionOf(r.Context())
		switch {
		case !g.knowsHost(r, conn):
			host := hostOnly(r.Host)
			refuse(w, r, "host", fmt.Sprintf("this server is not known as %q (a page that does as if it were may be behind this call): call it by its address or, if the name is its own, start it with --allowed-host %s", host, host))
		case !g.allowsOrigin(r):
			refuse(w, r, "origin", fmt.Sprintf("pages of %s may not call this server; if they should, start it with --allow-origin and that origin", originOf(r)))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knowsHost reports whether a request came under a name of the server's.
func (g *Guard) knowsHost(r *http.Request, conn *Connection) bool {
	return r.Header.Get(authorization) != "" || g.knowsName(r.Host, conn)
}

// KnowsName reports whether the server may be called by a name, with its port or
// without, over the connection of ctx. See [Guard.Site].
func (g *Guard) KnowsName(ctx context.Context, name string) bool {
	return g.knowsName(name, connectionOf(ctx))
}

func (g *Guard) knowsName(name string, conn *Connection) bool {
	if conn != nil && conn.unix {
		return true // no browser gets there
	}
	host := hostOnly(name)
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true // rebinding takes a name
	}
	return slices.ContainsFunc(g.opts.Hosts, func(allowed string) bool {
		allowed = strings.ToLower(allowed)
		if domain, ok := strings.CutPrefix(allowed, "*."); ok {
			return strings.HasSuffix(host, "."+domain)
		}
		return host == strings.TrimSuffix(allowed, ".")
	})
}

// hostOnly is a Host header without port, brackets and the root's dot, shortened
// to what a name may have.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	return strings.ToLower(host[:min(len(host), 253)])
}

// allowsOrigin reports whether no other site's page is behind a request, or one
// that may. Requests without side effects that carry no Origin pass: links lead
// here from anywhere, and their answer is not shown to the page.
func (g *Guard) allowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if slices.ContainsFunc(g.opts.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return origin == "" || sameOrigin(r)
	}
	return origin == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

func originOf(r *http.Request) string {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return "another site"
	}
	return fmt.Sprintf("%.200q", origin)
}

// LocalOnly lets through what was sent to this machine by one of its own names,
// and by no page of another site.
func LocalOnly(next http.Handler) http.Handler {
	var g Guard
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.knowsHost(withoutToken(r), nil) || !g.allowsOrigin(r) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			http.Error(w, "call this by localhost or its address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withoutToken is the request as if it had no token, which excuses nothing here.
func withoutToken(r *http.Request) *http.Request {
	copied := *r
	copied.Header = r.Header.Clone()
	copied.Header.Del(authorization)
	return &copied
}
