package doctor_test

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/doctor"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func examine(t *testing.T, target string, hold time.Duration) *doctor.Report {
	t.Helper()
	report, err := doctor.Run(t.Context(), doctor.Options{Target: target, Hold: hold})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// find returns the checks of this group, name, protocol and transport, of which
// the last three may be empty for any.
func find(t *testing.T, r *doctor.Report, group, name, protocol, transport string) (found []doctor.Check) {
	t.Helper()
	match := func(want, got string) bool { return want == "" || want == got }
	for _, c := range r.Checks {
		if c.Group == group && match(name, c.Name) && match(protocol, c.Protocol) && match(transport, c.Transport) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no check %q %q %q %q among %+v", group, name, protocol, transport, r.Checks)
	}
	return found
}

// want demands an outcome of each of these checks, and words in the details.
func want(t *testing.T, checks []doctor.Check, outcome doctor.Outcome, words ...string) {
	t.Helper()
	for _, c := range checks {
		if c.Outcome != outcome {
			t.Errorf("%+v, want that it %s", c, outcome)
		}
		for _, word := range words {
			if !strings.Contains(c.Detail, word) {
				t.Errorf("%+v does not speak of %q", c, word)
			}
		}
	}
}

func TestHealthy(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	r := examine(t, srv.URL, 100*time.Millisecond)
	if !r.Healthy() || !strings.Contains(r.Server, "vitals") || !strings.Contains(r.Server, servertest.Hostname) {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Checks {
		if c.Outcome != doctor.Works && c.Outcome != doctor.Skipped {
			t.Errorf("%+v", c)
		}
	}
	want(t, find(t, r, "calls", "bidi stream", "gRPC", "HTTP/2"), doctor.Works)
	want(t, find(t, r, "calls", "", "gRPC", "HTTP/1.1"), doctor.Skipped, "needs HTTP/2")
	want(t, find(t, r, "messages", "size", "", ""), doctor.Works, "4 MiB passes", "8 MiB does not", "resource_exhausted")
	if n := len(find(t, r, "streams", "hold", "", "")); n != 2 {
		t.Errorf("%d streams held, want one a transport", n)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vitals.sock")
	target := "unix:" + path
	r := examine(t, target, -1)
	want(t, find(t, r, "connection", "socket", "", ""), doctor.Fails, "there is no socket "+path, "--listen "+target)
	if r.Healthy() {
		t.Errorf("%+v", r)
	}
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{Addresses: []string{target}})
	srv.Seed()
	r = examine(t, target, -1)
	if !r.Healthy() || r.Target != target {
		t.Errorf("%+v", r)
	}
	want(t, find(t, r, "connection", "socket", "", ""), doctor.Works)
	want(t, find(t, r, "calls", "bidi stream", "gRPC", "HTTP/2"), doctor.Works)
	want(t, find(t, r, "calls", "unary", "XML-RPC", "HTTP/1.1"), doctor.Works)
	if _, err := doctor.Run(t.Context(), doctor.Options{Target: "unix:"}); err == nil {
		t.Error("a socket without a path is examined")
	}
}

func TestTLS(t *testing.T) {
	authority := servertest.NewAuthority(t)
	cert, key := authority.Server("localhost")
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: authority.TLS(certificate.Options{CertFile: cert, KeyFile: key}), HTTP3: true})
	trusted, err := client.TLSConfig(client.WithCA(authority.File))
	if err != nil {
		t.Fatal(err)
	}
	r, err := doctor.Run(t.Context(), doctor.Options{Target: srv.URL, TLS: trusted, Hold: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.Outcome == doctor.Fails {
			t.Errorf("%+v", c)
		}
	}
	want(t, find(t, r, "connection", "tls", "", ""), doctor.Works, "TLS 1.3", "h2")
	want(t, find(t, r, "connection", "certificate", "", ""), doctor.Works, "localhost", "sha256:")
	want(t, find(t, r, "calls", "bidi stream", "gRPC", "HTTP/3"), doctor.Works)

	// Without the authority, and without TLS.
	r = examine(t, srv.URL, -1)
	want(t, find(t, r, "connection", "tls", "", ""), doctor.Fails, "--tls-fingerprint", "localhost")
	r = examine(t, "http://"+srv.Addr, -1)
	want(t, find(t, r, "calls", "unary", "Connect JSON", "HTTP/1.1"), doctor.Fails, "https")
	r = examine(t, strings.Replace(servertest.NewServer(t, server.Options{}).URL, "http", "https", 1), -1)
	want(t, find(t, r, "connection", "tls", "", ""), doctor.Fails, "does not speak TLS", "http://")
}

// proxy starts an HTTP/1.1 proxy before the server, which change may spoil.
func proxy(t *testing.T, srv *servertest.Server, change func(http.Handler) http.Handler) string {
	t.Helper()
	target, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	through.FlushInterval = -1
	through.ErrorLog = log.New(io.Discard, "", 0)
	if change == nil {
		change = func(h http.Handler) http.Handler { return h }
	}
	p := httptest.NewServer(change(through))
	t.Cleanup(p.Close)
	return p.URL
}

func TestProxyOfHTTP1(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{InsecureAnonymous: true})
	r := examine(t, proxy(t, srv, nil), -1)
	want(t, find(t, r, "calls", "unary", "Connect JSON", "HTTP/1.1"), doctor.Works)
	want(t, find(t, r, "calls", "", "gRPC", "HTTP/2"), doctor.Fails, "HTTP/1.1", "gRPC", "cannot pass")
	if r.Healthy() {
		t.Error("no gRPC, and all is well?")
	}
}

func TestProxyThatBuffers(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{InsecureAnonymous: true})
	url := proxy(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			held := httptest.NewRecorder()
			next.ServeHTTP(held, r)
			maps.Copy(w.Header(), held.Header())
			w.WriteHeader(held.Code)
			_, _ = w.Write(held.Body.Bytes())
		})
	})
	want(t, find(t, examine(t, url, -1), "streams", "prompt", "", "HTTP/1.1"), doctor.Fails, "at once", "proxy_buffering")
}

func TestProxyThatCutsSilence(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{InsecureAnonymous: true})
	url := proxy(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	})
	want(t, find(t, examine(t, url, 20*time.Second), "streams", "hold", "", "HTTP/1.1"), doctor.Fails, "cut after", "proxy_read_timeout")
}

func TestProxyThatLimitsBodies(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{InsecureAnonymous: true})
	url := proxy(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 500_000 {
				w.Header().Set("Server", "narrow")
				http.Error(w, "too much", http.StatusRequestEntityTooLarge)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	want(t, find(t, examine(t, url, -1), "messages", "size", "", ""), doctor.Fails, "1 MiB does not pass", "413", "narrow", "client_max_body_size")
}

func TestProxyThatUnpacks(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{InsecureAnonymous: true})
	url := proxy(t, srv, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Accept-Encoding")
			r.Header.Del("Connect-Accept-Encoding")
			next.ServeHTTP(w, r)
		})
	})
	r := examine(t, url, -1)
	want(t, find(t, r, "messages", "gzip", "", ""), doctor.Warns, "uncompressed")
}

func TestNobody(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	want(t, find(t, examine(t, "http://"+address, -1), "connection", "tcp", "", ""), doctor.Fails, "nothing listens at "+address)
	want(t, find(t, examine(t, "http://no-such-host.invalid", -1), "connection", "address", "", ""), doctor.Fails, "no-such-host.invalid")
	if _, err := doctor.Run(t.Context(), doctor.Options{Target: "localhost"}); err == nil {
		t.Error("a target without a scheme was taken")
	}
}

func TestSomethingElse(t *testing.T) {
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "other")
		_, _ = w.Write([]byte("<html>welcome</html>"))
	}))
	defer p.Close()
	r := examine(t, p.URL, -1)
	want(t, find(t, r, "calls", "unary", "", "HTTP/1.1")[:3], doctor.Fails, "not Vitals' answer", "from other")
}
