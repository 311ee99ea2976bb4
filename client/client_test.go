package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestTargets(t *testing.T) {
	f := func(target, want string) {
		t.Helper()
		c, err := client.New(target)
		if err != nil || c.Target() != want {
			t.Errorf("New(%q): %v, %v; want %s", target, c, err, want)
		}
	}
	f("localhost:50051", "http://localhost:50051")
	f("10.0.0.7:80", "http://10.0.0.7:80")
	f("[::1]:50051", "http://[::1]:50051")
	f("vitals.example.com", "http://vitals.example.com")
	f("http://localhost:50051/", "http://localhost:50051")
	f("https://vitals.example.com", "https://vitals.example.com")
	f("https://example.com/vitals/", "https://example.com/vitals")

	bad := func(target string) {
		t.Helper()
		_, err := client.New(target)
		if err == nil || !strings.Contains(err.Error(), "such as localhost:50051") || !strings.Contains(err.Error(), target) {
			t.Errorf("New(%q): %v", target, err)
		}
	}
	for _, target := range []string{"", "ftp://localhost", "grpc://localhost:1", "http://", "://", "http:// spaced", "localhost:port"} {
		bad(target)
	}
}

func TestBadOptions(t *testing.T) {
	_, err := client.New("localhost:1", client.WithTLS(&tls.Config{MinVersion: tls.VersionTLS13}))
	if err == nil || !strings.Contains(err.Error(), "https://localhost:1") {
		t.Errorf("TLS to a plain target: %v", err)
	}
	_, err = client.New("localhost:1", client.WithProtocol("soap"))
	if err == nil || !strings.Contains(err.Error(), `"soap" is none of connect, grpc and grpcweb`) {
		t.Errorf("an unknown protocol: %v", err)
	}
	for _, name := range []string{"", "Connect", "grpc-web"} {
		if p, err := client.ParseProtocol(name); err == nil {
			t.Errorf("ParseProtocol(%q) = %q", name, p)
		}
	}
}

// flaky answers the first failures calls of each method with code and counts all.
type flaky struct {
	monitoringconnect.UnimplementedMonitoringServiceHandler
	code     connect.Code
	failures int32
	wait     time.Duration

	gets, streams atomic.Int32
	header        atomic.Pointer[http.Header]
}

func (s *flaky) GetMetric(ctx context.Context, req *monitoring.MetricRequest) (*monitoring.MetricResponse, error) {
	if s.gets.Add(1) <= s.failures {
		return nil, connect.NewError(s.code, "not now")
	}
	select {
	case <-time.After(s.wait):
		return &monitoring.MetricResponse{Hostname: req.GetHostname(), Value: 7}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *flaky) StreamMetrics(_ context.Context, req *monitoring.MetricRequest, stream monitoringconnect.MonitoringServiceStreamMetricsServerStream) error {
	if s.streams.Add(1) <= s.failures {
		return connect.NewError(s.code, "not now")
	}
	return stream.Send(&monitoring.MetricResponse{Hostname: req.GetHostname(), Value: 7})
}

// serve starts the service, over TLS where asked.
func serve(t *testing.T, s *flaky, secure bool) *httptest.Server {
	t.Helper()
	calls := connect.NewServer()
	monitoringconnect.RegisterMonitoringServiceHandler(calls, s)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		header.Set("Http-Version", r.Proto)
		header.Set("Http-Method", r.Method)
		s.header.Store(&header)
		mux.ServeHTTP(w, r)
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetHTTP2(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	if secure {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

func dial(t *testing.T, target string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRetry(t *testing.T) {
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		f := func(code connect.Code, failures int32, tries int, wantCalls int32, wantError bool) {
			t.Helper()
			s := &flaky{code: code, failures: failures}
			options := append([]client.Option{client.WithRetry(tries)}, conn.Options...)
			c := dial(t, serve(t, s, false).URL, options...)
			res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{Hostname: "web-1"})
			if s.gets.Load() != wantCalls || (err != nil) != wantError {
				t.Errorf("%v %d times, %d tries: %d calls, %v; want %d", code, failures, tries, s.gets.Load(), err, wantCalls)
			}
			if wantError && connect.CodeOf(err) != code {
				t.Errorf("%v, want %v", err, code)
			}
			if !wantError && (res.GetHostname() != "web-1" || res.GetValue() != 7) {
				t.Errorf("after %d failures: %v", failures, res)
			}
		}
		f(connect.CodeUnavailable, 0, 3, 1, false)
		f(connect.CodeUnavailable, 2, 3, 3, false)
		f(connect.CodeUnavailable, 9, 3, 3, true)
		f(connect.CodeUnavailable, 1, 1, 1, true)
		f(connect.CodeUnavailable, 1, 0, 1, true)
		f(connect.CodeUnavailable, 1, -5, 1, true)
		for _, code := range []connect.Code{connect.CodeInternal, connect.CodeNotFound, connect.CodeResourceExhausted, connect.CodeUnknown, connect.CodeAborted} {
			f(code, 1, 3, 1, true)
		}
	})
}

// A stream may have had effects, and half of it may have been seen.
func TestStreamsAreNotRetried(t *testing.T) {
	s := &flaky{code: connect.CodeUnavailable, failures: 1}
	c := dial(t, serve(t, s, false).URL)
	stream, err := c.Monitoring().StreamMetrics(t.Context(), &monitoring.MetricRequest{})
	if err == nil {
		_, err = stream.Receive()
		_ = stream.Close()
	}
	if connect.CodeOf(err) != connect.CodeUnavailable || s.streams.Load() != 1 {
		t.Errorf("%d calls, %v", s.streams.Load(), err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	for _, conn := range servertest.Connections() {
		_, err := dial(t, address, conn.Options...).Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
		if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", conn.Name, err)
		}
	}
}

func TestTimeout(t *testing.T) {
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		s := &flaky{wait: time.Minute}
		c := dial(t, serve(t, s, false).URL, append([]client.Option{client.WithTimeout(100 * time.Millisecond)}, conn.Options...)...)
		start := time.Now()
		_, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
		if connect.CodeOf(err) != connect.CodeDeadlineExceeded || time.Since(start) > 10*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
		_, err = dial(t, c.Target(), append([]client.Option{client.WithTimeout(0)}, conn.Options...)...).Monitoring().GetMetric(ctx, &monitoring.MetricRequest{})
		if connect.CodeOf(err) != connect.CodeCanceled {
			t.Errorf("canceled: %v", err)
		}
	})
}

// All tries together have one timeout.
func TestTimeoutBoundsTheTries(t *testing.T) {
	s := &flaky{code: connect.CodeUnavailable, failures: 1 << 30}
	c := dial(t, serve(t, s, false).URL, client.WithTimeout(2*time.Second), client.WithRetry(1<<20))
	start := time.Now()
	if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); connect.CodeOf(err) != connect.CodeDeadlineExceeded || !strings.Contains(err.Error(), "not now") || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v; want the deadline and what the last try said", time.Since(start), err)
	}
}

func TestStreamsHaveNoTimeout(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	c := dial(t, srv.URL, client.WithTimeout(100*time.Millisecond))
	stream, err := c.Monitoring().StreamMetrics(t.Context(), &monitoring.MetricRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	for range 3 { // the third comes after two seconds
		if _, err := stream.Receive(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeadersAndHTTPVersions(t *testing.T) {
	f := func(contentType, version, method string, options ...client.Option) {
		t.Helper()
		s := &flaky{}
		options = append(options, client.WithHeader("Authorization", "Bearer abc"), client.WithHeader("X-Twice", "1"), client.WithHeader("X-Twice", "2"))
		c := dial(t, serve(t, s, false).URL, options...)
		if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{Hostname: strings.Repeat("x", 2000)}); err != nil {
			t.Fatal(err)
		}
		h := *s.header.Load()
		if h.Get("Authorization") != "Bearer abc" || strings.Join(h.Values("X-Twice"), ",") != "1,2" {
			t.Errorf("%s: headers %v", contentType, h)
		}
		if h.Get("Content-Type") != contentType || h.Get("Http-Version") != version || h.Get("Http-Method") != method {
			t.Errorf("%s %s %s, want %s %s %s", h.Get("Content-Type"), h.Get("Http-Version"), h.Get("Http-Method"), contentType, version, method)
		}
	}
	f("application/proto", "HTTP/1.1", "POST")
	f("application/json", "HTTP/1.1", "POST", client.WithJSON())
	f("application/proto", "HTTP/2.0", "POST", client.WithH2C())
	f("application/grpc", "HTTP/2.0", "POST", client.WithProtocol(client.GRPC))
	f("application/grpc+json", "HTTP/2.0", "POST", client.WithProtocol(client.GRPC), client.WithJSON())
	f("application/grpc-web+proto", "HTTP/1.1", "POST", client.WithProtocol(client.GRPCWeb))
	f("application/grpc-web+proto", "HTTP/2.0", "POST", client.WithProtocol(client.GRPCWeb), client.WithH2C())
	f("", "HTTP/1.1", "GET", client.WithGet())
	f("", "HTTP/2.0", "GET", client.WithGet(), client.WithH2C(), client.WithJSON())
}

// TLS with the server's real handler: HTTP/2 where both can.
func TestTLS(t *testing.T) {
	vitals := servertest.NewSeeded(t, server.Options{})
	srv := httptest.NewUnstartedServer(vitals.Handler())
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the handshake that is refused below
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	for _, conn := range servertest.Connections() {
		c := dial(t, srv.URL, append([]client.Option{client.WithTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})}, conn.Options...)...)
		res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{MetricType: "disk"})
		if err != nil || res.GetValue() != 40 {
			t.Errorf("%s: %v, %v", conn.Name, res, err)
		}
	}
	_, err := dial(t, srv.URL, client.WithRetry(1)).Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

// plainRoundTripper is no *http.Transport, as what instrumentation puts in place of
// the default one is none.
type plainRoundTripper struct{ http.RoundTripper }

// Not parallel: the default is every test's.
func TestDefaultTransportReplaced(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	before := http.DefaultTransport
	http.DefaultTransport = plainRoundTripper{before}
	defer func() { http.DefaultTransport = before }()
	c, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	c := srv.Client(servertest.Connections()[4])
	errs := make(chan error, 50)
	for range cap(errs) {
		go func() {
			_, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
