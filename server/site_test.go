package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// under sends a request under a host name.
func under(t *testing.T, srv *servertest.Server, host, path string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for _, line := range append(header, asJSON) {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := srv.HTTP1().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

// DNS rebinding: a page of evil.test is told by its DNS that evil.test is
// 127.0.0.1, and calls what it may call then, its own origin.
func TestUnknownHostsAreRefused(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AllowedHosts: []string{"vitals.example.com", "*.lan"}})
	p := populate(t, srv.Accounts())
	f := func(host string, known bool) {
		t.Helper()
		for _, path := range []string{getMetric, "/jsonrpc", "/metrics", "/session", "/"} {
			got := under(t, srv, host, path)
			if refused := got.status == http.StatusForbidden && strings.Contains(got.body, "--allowed-host"); refused == known {
				t.Errorf("%s at %q: %d %s", path, host, got.status, got.body)
			}
		}
	}
	for _, host := range []string{"localhost", "localhost:50051", "LOCALHOST", "127.0.0.1:1", "[::1]:50051", "192.0.2.1", "vitals.localhost", servertest.Hostname, "vitals.example.com", "Vitals.Example.com.:443", "a.b.lan"} {
		f(host, true)
	}
	for _, host := range []string{"evil.test", "evil.test:50051", "localhost.evil.test", "vitals.example.com.evil.test", "evilvitals.example.com", "lan", "evillan", "127.0.0.1.evil.test"} {
		f(host, false)
	}
	// Whoever brings a token is no page of evil.test.
	if got := under(t, srv, "hub.internal", getMetric, p.header("viewer")); got.status != http.StatusOK {
		t.Errorf("with a token: %d %s", got.status, got.body)
	}
	if got := under(t, srv, "evil.test", getMetric, "Authorization: Bearer x"); got.status != http.StatusUnauthorized {
		t.Errorf("with a token that is none: %d %s", got.status, got.body)
	}
}

func TestOtherSitesPagesAreRefused(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AllowedOrigins: []string{dashboard}})
	f := func(ok bool, header ...string) {
		t.Helper()
		got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", append(header, asJSON)...)
		if (got.status == http.StatusOK) != ok || !ok && !strings.Contains(got.body, "--allow-origin") {
			t.Errorf("%q: %d %s", header, got.status, got.body)
		}
	}
	f(true)
	f(true, "Origin: "+srv.URL)
	f(true, "Origin: "+dashboard)
	f(true, "Origin: "+dashboard, "Sec-Fetch-Site: cross-site")
	f(true, "Sec-Fetch-Site: same-origin", "Origin: https://behind.a.proxy")
	f(false, "Origin: https://evil.test")
	f(false, "Origin: null")
	f(false, "Origin: https://evil.test", "Sec-Fetch-Site: cross-site")
	f(false, "Sec-Fetch-Site: cross-site")
	f(false, "Sec-Fetch-Site: same-site", "Origin: http://localhost:1")
}

// signIn begins a session as the page does, and returns its cookie.
func signIn(t *testing.T, srv *servertest.Server, body string) *http.Cookie {
	t.Helper()
	got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/session", body, asJSON, "Origin: "+srv.URL)
	if got.status != http.StatusNoContent {
		t.Fatalf("signing in: %d %s", got.status, got.body)
	}
	cookies := (&http.Response{Header: got.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%q", got.header)
	}
	return cookies[0]
}

func TestPageSession(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	p := populate(t, srv.Accounts())
	if err := srv.Accounts().SetPassword(t.Context(), owner, "viewer", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	cookie := signIn(t, srv, `{"name":"viewer","password":"correct horse"}`)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || cookie.Secure {
		t.Errorf("%+v", cookie)
	}
	f := func(want int, header ...string) {
		t.Helper()
		got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", append(header, asJSON, "Cookie: "+cookie.Name+"="+cookie.Value)...)
		if got.status != want {
			t.Errorf("%q: %d %s, want %d", header, got.status, got.body, want)
		}
	}
	f(200, "Sec-Fetch-Site: same-origin")
	f(200, "Origin: "+srv.URL)
	f(401) // a call without either is no browser's, whose cookie it would be
	f(401, "Sec-Fetch-Site: none")
	f(403, "Sec-Fetch-Site: cross-site", "Origin: https://evil.test")
	f(403, "Sec-Fetch-Site: same-site", "Origin: http://other.localhost")
	f(403, "Origin: https://evil.test")

	// What another site's form can send begins no session either.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/session", `{"name":"viewer","password":"correct horse"}`, "Content-Type: "+kind); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d", kind, got.status)
		}
	}
	got := send(t, srv.HTTP1(), http.MethodDelete, srv.URL+"/session", "", "Cookie: "+cookie.Name+"="+cookie.Value, "Sec-Fetch-Site: same-origin")
	if got.status != http.StatusNoContent || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signing out: %d %q", got.status, got.header)
	}
	f(401, "Sec-Fetch-Site: same-origin")

	// A token does it too, and its session ends when it is revoked.
	cookie = signIn(t, srv, `{"token":"`+p.secrets["operator"]+`"}`)
	f(200, "Sec-Fetch-Site: same-origin")
	if err := srv.Accounts().RevokeToken(t.Context(), owner, p.tokens["operator"].ID); err != nil {
		t.Fatal(err)
	}
	f(401, "Sec-Fetch-Site: same-origin")
	for _, body := range []string{`{"name":"viewer","password":"wrong horse"}`, `{"name":"no-one","password":"correct horse"}`, `{"token":"` + p.secrets["agent of "+agentsHost] + `"}`, `{}`} {
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/session", body, asJSON); got.status != http.StatusUnauthorized || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%.30s: %d %s", body, got.status, got.body)
		}
	}
}

func TestClientCertificateRoles(t *testing.T) {
	authority := servertest.NewAuthority(t)
	var roles []access.CertificateRole
	for _, text := range []string{"CN=agent-*:agent", "CN=boss:admin"} {
		role, err := access.ParseCertificateRole(text)
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, role)
	}
	srv := servertest.NewServerOn(t, server.Options{CertificateRoles: roles}, listen.Options{
		TLS: authority.TLS(certificate.Options{ClientCAFile: authority.File, ClientAuth: certificate.Optional}),
	})
	populate(t, srv.Accounts())
	as := func(name string) *client.Client {
		options := []client.Option{client.WithCA(authority.File)}
		if name != "" {
			options = append(options, client.WithClientCertificate(authority.Client(name)))
		}
		return srv.Client(servertest.Connection{}, options...)
	}
	f := func(name, want string) {
		t.Helper()
		who, err := as(name).Accounts().WhoAmI(t.Context(), &usersv1.WhoAmIRequest{})
		if got := strings.TrimPrefix(who.GetRole().String(), "ROLE_") + " " + who.GetHostname(); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%q is %q (%v), want %q", name, got, err, want)
		}
	}
	f("", "ANYONE")
	f("boss", "ADMIN")
	f("bosss", "ANYONE")
	f("agent-db-1", "AGENT db-1")
	f("agent-", "ANYONE")
	batch := func(host string) error {
		_, err := as("agent-db-1").Ingest().ReportBatch(t.Context(), &monitoringv1.ReportBatchRequest{Hostname: host, Samples: []*monitoringv1.CustomSample{{MetricType: "x", Value: 1}}})
		return err
	}
	if err := batch("db-1"); err != nil {
		t.Error(err)
	}
	if err := batch("db-2"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Error(err)
	}
}

func TestCertificateRoleTexts(t *testing.T) {
	for _, text := range []string{"", "agent-*:agent", "CN=", "CN=:agent", "CN=a", "CN=a:", "CN=a:root", "CN=*-*:agent", "CN=a:enrolment"} {
		if _, err := access.ParseCertificateRole(text); err == nil || !strings.Contains(err.Error(), "CN=agent-*:agent") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What reflection shows is what the caller may call.
func TestReflectionShowsWhatOneMayCall(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	f := func(who string, shows, hides string) {
		t.Helper()
		got := text(send(t, srv.HTTP2(), http.MethodPost, srv.URL+"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
			envelope(0, `{"listServices":""}`)+envelope(0, `{"fileContainingSymbol":"users.v1.AccountService"}`), p.header(who), "Content-Type: application/connect+json"))
		if !strings.Contains(got, shows) || hides != "" && strings.Contains(got, hides) {
			t.Errorf("%s: %.2000s", who, got)
		}
	}
	f("admin", `"users.UserService"`, "")
	f("viewer", `"monitoring.v1.QueryService"`, `"users.UserService"`)
	f("agent of "+agentsHost, `"monitoring.v1.IngestService"`, `"monitoring.v1.QueryService"`)
	f("nobody", "this needs a token", "Service\"")
}

func TestHealthTellsStrangersLittle(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	p := populate(t, srv.Accounts())
	check := func(who, body string) answer {
		return send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/grpc.health.v1.Health/Check", body, asJSON, p.header(who))
	}
	if got := check("nobody", "{}"); got.status != 200 || !strings.Contains(got.body, "SERVING") {
		t.Errorf("the whole server: %d %s", got.status, got.body)
	}
	if got := check("nobody", `{"service":"store"}`); got.status != http.StatusUnauthorized {
		t.Errorf("a component: %d %s", got.status, got.body)
	}
	if got := check("viewer", `{"service":"store"}`); got.status != 200 {
		t.Errorf("a component, by a viewer: %d %s", got.status, got.body)
	}
	ready := func(who string) string {
		return send(t, srv.HTTP1(), http.MethodGet, srv.URL+"/readyz", "", p.header(who)).body
	}
	if got := ready("nobody"); got != "not ready\n" {
		t.Errorf("/readyz: %q", got)
	}
	if got := ready("viewer"); !strings.Contains(got, "collector") {
		t.Errorf("/readyz by a viewer: %q", got)
	}
	if account.CallerFrom(t.Context()).Role != account.Anyone {
		t.Error("a context of no call has a role")
	}
}

func TestProfilesAreForThisMachine(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.RunDebug(ctx, l) }()
	f := func(want int, host string, header ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/debug/pprof/cmdline", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Set(name, value)
		}
		res, err := srv.HTTP1().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("as %q with %q: %d, want %d", host, header, res.StatusCode, want)
		}
	}
	f(200, "localhost")
	f(403, "evil.test")
	f(403, "evil.test", "Authorization: Bearer x")
	f(403, "localhost", "Sec-Fetch-Site: cross-site")
	f(403, "localhost", "Origin: https://evil.test")
	if got := send(t, srv.HTTP1(), http.MethodGet, srv.URL+"/debug/pprof/", ""); got.status != http.StatusNotFound {
		t.Errorf("the server's own port has profiles: %d", got.status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
