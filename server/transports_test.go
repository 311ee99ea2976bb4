package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/pires/go-proxyproto"
	"github.com/quic-go/quic-go/http3"

	"github.com/vitals-rpc/vitals/client"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/peer"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func proxies(t *testing.T, list ...string) peer.Proxies {
	t.Helper()
	p, err := peer.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.sock")
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{Addresses: []string{"unix:" + path}})
	srv.Seed()
	for _, conn := range servertest.Connections() {
		c, err := client.New("unix:"+path, append([]client.Option{client.WithRetry(1)}, conn.Options...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		res, err := c.Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{MetricType: "cpu"})
		if err != nil || res.GetValue() != 12.5 || c.Target() != "unix:"+path {
			t.Errorf("%s: %v, %v", conn.Name, res, err)
		}
	}
	if n := len(srv.Log.Lines("msg=call", "peer=unix")); n != len(servertest.Connections()) {
		t.Errorf("%d calls are logged as by a unix socket: %s", n, srv.Log)
	}
}

// callAfter sends a request of plain HTTP/1.1 after a preamble.
func callAfter(t *testing.T, srv *servertest.Server, preamble []byte) string {
	t.Helper()
	conn := srv.Dial()
	body := `{}`
	request := "POST " + getMetric + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body
	if _, err := conn.Write(append(preamble, request...)); err != nil {
		t.Fatal(err)
	}
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return strings.TrimSpace(status)
}

func proxyHeader(t *testing.T, version byte) []byte {
	t.Helper()
	header := proxyproto.HeaderProxyFromAddrs(version,
		&net.TCPAddr{IP: net.ParseIP("203.0.113.7"), Port: 5000}, &net.TCPAddr{IP: net.ParseIP("127.0.0.1"), Port: 80})
	text, err := header.Format()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestProxyProtocol(t *testing.T) {
	trusted := proxies(t, "127.0.0.1")
	srv := servertest.NewServerOn(t, server.Options{TrustedProxies: trusted}, listen.Options{Proxies: trusted})
	srv.Seed()
	for _, version := range []byte{1, 2} {
		if status := callAfter(t, srv, proxyHeader(t, version)); status != "HTTP/1.1 200 OK" {
			t.Errorf("version %d: %s", version, status)
		}
		if n := len(srv.Log.Lines("msg=call", "peer=203.0.113.7:5000")); n != int(version) {
			t.Errorf("version %d: %d calls are logged with the caller's address: %s", version, n, srv.Log)
		}
	}
	if status := callAfter(t, srv, nil); status != "HTTP/1.1 200 OK" || len(srv.Log.Lines("msg=call", "peer=127.0.0.1:")) != 1 {
		t.Errorf("without the header: %s", status)
	}
	// Who is no trusted proxy cannot say that it is another.
	other := proxies(t, "192.0.2.1")
	srv = servertest.NewServerOn(t, server.Options{TrustedProxies: other}, listen.Options{Proxies: other})
	srv.Seed()
	for _, version := range []byte{1, 2} {
		if status := callAfter(t, srv, proxyHeader(t, version)); status != "HTTP/1.1 400 Bad Request" {
			t.Errorf("version %d from no trusted proxy: %s", version, status)
		}
	}
	if len(srv.Log.Lines("203.0.113.7")) > 0 {
		t.Errorf("a forged address is in the log: %s", srv.Log)
	}
}

func TestForwardedIsLogged(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{TrustedProxies: proxies(t, "127.0.0.1")})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON, "X-Forwarded-For: 198.51.100.66, 203.0.113.7")
	})
	if n := len(srv.Log.Lines("msg=call", "peer=203.0.113.7\n")); n != 2 {
		t.Errorf("%d calls are logged with the caller's address: %s", n, srv.Log)
	}
}

// over makes an HTTP client of one version over TLS.
func over(t *testing.T, ca *servertest.Authority, version int) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
	if version == 3 {
		transport := &http3.Transport{TLSClientConfig: config}
		t.Cleanup(func() { _ = transport.Close() })
		return &http.Client{Transport: transport, Timeout: 2 * servertest.Patience}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetHTTP2(version == 2)
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * servertest.Patience}
}

// Every version of HTTP over one port, and where HTTP/3 is.
func TestVersionsOverTLS(t *testing.T) {
	ca := servertest.NewAuthority(t)
	for _, implementation := range []server.HTTP2{server.StdHTTP2, server.OwnHTTP2} {
		srv := servertest.NewServerOn(t, server.Options{HTTP2: implementation}, listen.Options{TLS: ca.TLS(certificate.Options{}), HTTP3: true})
		srv.Seed()
		_, port, err := net.SplitHostPort(srv.Addr)
		if err != nil {
			t.Fatal(err)
		}
		for version := 1; version <= 3; version++ {
			res, err := over(t, ca, version).Post(srv.URL+getMetric, "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Errorf("HTTP/%d, %s: %v", version, implementation, err)
				continue
			}
			_ = res.Body.Close()
			alt := res.Header.Get("Alt-Svc")
			if res.StatusCode != http.StatusOK || res.ProtoMajor != version || (version == 3) != (alt == "") || version < 3 && !strings.HasPrefix(alt, `h3=":`+port+`"; ma=`) {
				t.Errorf("HTTP/%d, %s: %s %s, Alt-Svc %q", version, implementation, res.Proto, res.Status, alt)
			}
		}
	}
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{})})
	res, err := over(t, ca, 2).Get(srv.URL + "/healthz")
	if err != nil || res.Header.Get("Alt-Svc") != "" {
		t.Errorf("without HTTP/3: %v, %v", res, err)
	}
}

// A client's certificate is seen by whoever asks who calls.
func TestCertificateOfPeer(t *testing.T) {
	ca := servertest.NewAuthority(t)
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{ClientCAFile: ca.File}), HTTP3: true})
	srv.Seed()
	cert, key := ca.Client("agent-7")
	for i, version := range [][]client.Option{nil, {client.WithHTTP3()}} {
		c, err := client.New(srv.URL, append(version, client.WithCA(ca.File), client.WithClientCertificate(cert, key))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := c.Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{}); err != nil {
			t.Fatal(err)
		}
		if n := len(srv.Log.Lines("msg=call", "CN=agent-7")); n != i+1 {
			t.Errorf("%d calls are logged with the subject: %s", n, srv.Log)
		}
	}
}

// At a stop a stream over HTTP/3 ends in words, and a connection with nothing to
// ask holds up nothing.
func TestStopOverHTTP3(t *testing.T) {
	ca := servertest.NewAuthority(t)
	srv := servertest.NewServerOn(t, server.Options{ShutdownTimeout: time.Minute}, listen.Options{TLS: ca.TLS(certificate.Options{}), HTTP3: true})
	srv.Seed()
	idle := over(t, ca, 3)
	if res, err := idle.Get(srv.URL + "/healthz"); err != nil {
		t.Fatal(err)
	} else {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	conn := servertest.Connection{Options: []client.Option{client.WithCA(ca.File), client.WithHTTP3()}}
	rest := openStream(context.Background(), t, srv, conn)
	start := time.Now()
	srv.Stop()
	err := rest()
	if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("the stream ended with %v", err)
	}
	<-srv.Done()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if len(srv.Log.Lines("cut what was still open")) > 0 {
		t.Errorf("something was cut: %s", srv.Log)
	}
}

// A reader over HTTP/3 who does not read is let go of.
func TestSlowReaderOverHTTP3(t *testing.T) {
	ca := servertest.NewAuthority(t)
	large := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	ended := make(chan struct{})
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { defer close(ended); large(w, r) })
	srv := servertest.NewServerOn(t, server.Options{Page: page, SendTimeout: 200 * time.Millisecond}, listen.Options{TLS: ca.TLS(certificate.Options{}), HTTP3: true})
	res, err := over(t, ca, 3).Get(srv.URL + "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	select {
	case <-ended:
	case <-time.After(servertest.Patience):
		t.Error("the write waits for ever")
	}
}
