package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// newSecureServer is newServer over TLS and HTTP/3, with one sample of each kind.
func newSecureServer(t *testing.T, opts certificate.Options) (*servertest.Server, *servertest.Authority) {
	t.Helper()
	ca := servertest.NewAuthority(t)
	if opts.ClientCAFile != "" {
		opts.ClientCAFile = ca.File
	}
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(opts), HTTP3: true})
	srv.Seed()
	return srv, ca
}

const ofClients = "the authority itself"

func TestCurlTLS(t *testing.T) {
	curl := tool(t, "curl", "curl")
	srv, ca := newSecureServer(t, certificate.Options{})
	versions := map[string]string{"--http1.1": "1.1", "--http2": "2"}
	if strings.Contains(mustRun(t, "", curl, "-V"), "HTTP3") {
		versions["--http3-only"] = "3"
	}
	for flag, version := range versions {
		ask := func(args ...string) string {
			t.Helper()
			return mustRun(t, "", curl, append([]string{"-sS", "--max-time", "60", flag, "--cacert", ca.File, "-w", " HTTP %{http_version}"}, args...)...)
		}
		has(t, flag, ask("-H", "Content-Type: application/json", "-d", "{}", srv.URL+getMetric), `"cpu"`, "HTTP "+version)
		has(t, flag, ask("-H", "Content-Type: application/json", "--tls-max", "1.2", "-d", "{}", srv.URL+getMetric), `"cpu"`)
		has(t, flag, ask("-i", srv.URL+"/healthz"), "ok")
	}
	has(t, "Alt-Svc", mustRun(t, "", curl, "-sS", "-i", "--cacert", ca.File, srv.URL+"/healthz"), `h3=":`)
	_, talk, ok := run(t, "", curl, "-sS", srv.URL+"/healthz")
	if ok || !strings.Contains(talk, "certificate") {
		t.Errorf("curl that does not know the authority: %s", talk)
	}
	if _, talk, ok = run(t, "", curl, "-sS", "--cacert", ca.File, "--tls-max", "1.1", srv.URL+"/healthz"); ok {
		t.Errorf("TLS 1.1: %s", talk)
	}
	// Who forgets the s is told.
	plain := "http://" + srv.Addr
	has(t, "http", mustRun(t, "", curl, "-sS", "-i", plain+"/healthz"), "HTTP/1.1 400 ", "this port speaks TLS; call https://"+srv.Addr+"/healthz")
	has(t, "http", mustRun(t, "", curl, "-sS", "-d", strings.Repeat("x", 100_000), plain+getMetric), "call https://"+srv.Addr+getMetric)
}

// A certificate of the server's own making, as curl and Python take it.
func TestSelfSignedToStrangers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "self.pem")
	keeper, err := certificate.Open(certificate.Options{SelfSignedFile: file})
	if err != nil {
		t.Fatal(err)
	}
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: keeper.Config()})
	has(t, "curl", mustRun(t, "", tool(t, "curl", "curl"), "-sS", "--cacert", file, srv.URL+"/healthz"), "ok")
	const script = `import ssl, sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).read())`
	has(t, "Python", mustRun(t, "", "/usr/bin/python3", "-c", script, srv.URL+"/healthz", file), "ok")
}

func TestCurlClientCertificate(t *testing.T) {
	curl := tool(t, "curl", "curl")
	srv, ca := newSecureServer(t, certificate.Options{ClientCAFile: ofClients})
	cert, key := ca.Client("curl")
	has(t, "with one", mustRun(t, "", curl, "-sS", "--cacert", ca.File, "--cert", cert, "--key", key, srv.URL+"/healthz"), "ok")
	if _, talk, ok := run(t, "", curl, "-sS", "--cacert", ca.File, srv.URL+"/healthz"); ok {
		t.Errorf("without one: %s", talk)
	}
}

func TestGRPCurlTLS(t *testing.T) {
	grpcurl := buildGRPCurl(t)
	srv, ca := newSecureServer(t, certificate.Options{})
	has(t, "list", mustRun(t, "", grpcurl, "-cacert", ca.File, srv.Addr, "list"), "monitoring.MonitoringService\n")
	has(t, "GetMetric", mustRun(t, "", grpcurl, "-cacert", ca.File, srv.Addr, "monitoring.MonitoringService/GetMetric"), `"metricType": "cpu"`)
	_, talk, ok := run(t, "", grpcurl, "-max-time", "20", srv.Addr, "list")
	if ok || !strings.Contains(talk, "unknown authority") {
		t.Errorf("grpcurl that does not know the authority: %s", talk)
	}

	srv, ca = newSecureServer(t, certificate.Options{ClientCAFile: ofClients})
	cert, key := ca.Client("grpcurl")
	has(t, "with a certificate", mustRun(t, "", grpcurl, "-cacert", ca.File, "-cert", cert, "-key", key, srv.Addr, "grpc.health.v1.Health/Check"), "SERVING")
	if _, talk, ok := run(t, "", grpcurl, "-max-time", "20", "-cacert", ca.File, srv.Addr, "list"); ok {
		t.Errorf("without a certificate: %s", talk)
	}
	servertest.Eventually(t, "a call is logged with the subject", func() bool { return len(srv.Log.Lines("msg=call", "Health/Check", "CN=grpcurl")) == 1 })
}

func TestPythonTLS(t *testing.T) {
	srv, ca := newSecureServer(t, certificate.Options{ClientCAFile: ofClients})
	cert, key := ca.Client("python")
	const script = `import grpc, sys
read = lambda path: open(path, "rb").read()
credentials = grpc.ssl_channel_credentials(read(sys.argv[2]), read(sys.argv[4]), read(sys.argv[3]))
with grpc.secure_channel(sys.argv[1], credentials) as channel:
    call = channel.unary_unary("/grpc.health.v1.Health/Check")
    print(call(b"", timeout=30).hex())`
	has(t, "Python", mustRun(t, "", "/usr/bin/python3", "-c", script, srv.Addr, ca.File, cert, key), "0801") // status: SERVING
}

// chromium runs a script that steers a browser.
func chromium(t *testing.T, script string, args ...string) string {
	t.Helper()
	node := tool(t, "node", "nodejs")
	if _, err := os.Stat("../web/node_modules/playwright-core"); err != nil {
		t.Fatal("playwright-core is missing: npm --prefix web ci")
	}
	if _, err := exec.LookPath("/usr/bin/chromium"); err != nil {
		t.Fatal("Chromium is missing: apt-get install chromium")
	}
	path, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	return mustRun(t, "../web", node, append([]string{path}, args...)...)
}

// TestChromiumTLS lets a browser load and call over TLS, and asks it which protocol
// it spoke.
func TestChromiumTLS(t *testing.T) {
	srv, _ := newSecureServer(t, certificate.Options{})
	out := chromium(t, "chromium_tls.mjs", srv.URL)
	var got struct {
		Protocol, Security string
		Metric             struct{ MetricType string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Protocol != "h2" || got.Security != "TLS 1.3" || got.Metric.MetricType != "cpu" {
		t.Errorf("%s", out)
	}
}
