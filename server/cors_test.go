package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

const (
	allowOrigin = "Access-Control-Allow-Origin"
	dashboard   = "https://dash.example.com"
)

func preflight(t *testing.T, srv *servertest.Server, origin string) answer {
	t.Helper()
	return send(t, srv.HTTP1(), http.MethodOptions, srv.URL+getMetric, "", "Origin: "+origin,
		"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: connect-protocol-version,content-type,x-request-id")
}

func call(t *testing.T, srv *servertest.Server, origin string) answer {
	t.Helper()
	return send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", asJSON, "Origin: "+origin)
}

func TestNoOriginIsAllowedByDefault(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for _, got := range []answer{preflight(t, srv, dashboard), call(t, srv, dashboard), call(t, srv, "null")} {
		for name := range got.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%d has %s: %s", got.status, name, got.header.Get(name))
			}
		}
	}
}

func TestNamedOriginsAreAllowedExactly(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AllowedOrigins: []string{dashboard, "http://localhost:5173"}})
	f := func(origin string, allowed bool) {
		t.Helper()
		want := ""
		if allowed {
			want = origin
		}
		if got := preflight(t, srv, origin).header.Get(allowOrigin); got != want {
			t.Errorf("preflight of %s: %q, want %q", origin, got, want)
		}
		got := call(t, srv, origin)
		if got.header.Get(allowOrigin) != want {
			t.Errorf("call from %s: %q, want %q", origin, got.header.Get(allowOrigin), want)
		}
		if !strings.Contains(got.header.Get("Vary"), "Origin") {
			t.Errorf("call from %s: Vary %q lets caches mix origins", origin, got.header.Get("Vary"))
		}
	}
	f(dashboard, true)
	f("http://localhost:5173", true)
	f("http://dash.example.com", false)
	f("https://dash.example.com:8443", false)
	f("https://dash.example.com.evil.test", false)
	f("https://evil-dash.example.com", false)
	f("http://localhost:5174", false)
	f("null", false)

	ok := preflight(t, srv, dashboard)
	if methods := ok.header.Get("Access-Control-Allow-Methods"); !strings.Contains(methods, "POST") {
		t.Errorf("methods %q", methods)
	}
	if headers := strings.ToLower(ok.header.Get("Access-Control-Allow-Headers")); !strings.Contains(headers, "connect-protocol-version") || !strings.Contains(headers, "x-request-id") {
		t.Errorf("headers %q", headers)
	}
	if exposed := strings.ToLower(call(t, srv, dashboard).header.Get("Access-Control-Expose-Headers")); !strings.Contains(exposed, "grpc-status") || !strings.Contains(exposed, "x-request-id") {
		t.Errorf("exposed %q", exposed)
	}
}

func TestBadOrigins(t *testing.T) {
	for _, origin := range []string{"*", "https://*.example.com", "dash.example.com", "https://dash.example.com/", "https://dash.example.com/app", "://", "https://", "null"} {
		_, err := server.New(t.Context(), server.Options{AllowedOrigins: []string{origin}, History: store.Options{Dir: t.TempDir()}})
		if err == nil || !strings.Contains(err.Error(), "scheme://host[:port]") || !strings.Contains(err.Error(), origin) {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}
