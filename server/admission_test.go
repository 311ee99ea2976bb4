package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/vitals-rpc/vitals/client"
	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// retryDelay is what an error says of when to come back; 0 for nothing.
func retryDelay(t *testing.T, err error) time.Duration {
	t.Helper()
	known, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return 0
	}
	for _, detail := range known.Details() {
		packed := connectproto.ErrorDetailToAny(detail)
		var info errdetails.RetryInfo
		if packed.MessageIs(&info) {
			if err := packed.UnmarshalTo(&info); err != nil {
				t.Error(err)
			}
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// elsewhere makes connections from another address of loopback, for 127.0.0.1 has
// no bounds.
func elsewhere(t *testing.T, address string, overHTTP2 bool) *http.Transport {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!overHTTP2)
	transport.Protocols.SetUnencryptedHTTP2(overHTTP2)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func TestTooManyCalls(t *testing.T) {
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 5}})
		c := srv.Client(conn, client.WithRoundTripper(elsewhere(t, "127.0.0.2", conn.HTTP2)))
		var refused error
		for range 200 {
			if _, refused = c.Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{}); refused != nil {
				break
			}
		}
		wantError(t, refused, connect.CodeResourceExhausted, "more than 5 times a second", "try again in")
		if delay := retryDelay(t, refused); delay <= 0 || delay > time.Second {
			t.Errorf("the error says to come back in %s", delay)
		}
		if _, err := srv.Client(conn, client.WithRoundTripper(elsewhere(t, "127.0.0.3", conn.HTTP2))).Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{}); err != nil {
			t.Errorf("from another address: %v", err)
		}
		if gauge(t, srv, `vitals_admission_refused_total{bound="calls"}`) < 1 {
			t.Error("the refusal is not counted")
		}
	})
}

func TestRetryAfterHeader(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 1}})
	for _, overHTTP2 := range []bool{false, true} {
		c := &http.Client{Transport: elsewhere(t, "127.0.0.2", overHTTP2)}
		for range 100 {
			got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON)
			if got.status == http.StatusOK {
				continue
			}
			wantConnectError(t, got, http.StatusTooManyRequests, "resource_exhausted", "try again")
			if after := got.header.Get("Retry-After"); after != "1" || !strings.Contains(got.body, "google.rpc.RetryInfo") {
				t.Errorf("Retry-After %q, %s", after, got.body)
			}
			break
		}
	}
	if gauge(t, srv, `vitals_admission_refused_total{bound="calls"}`) < 2 {
		t.Error("never refused")
	}
	plain := &http.Client{Transport: elsewhere(t, "127.0.0.3", false)}
	for i := 0; ; i++ {
		got := send(t, plain, http.MethodGet, srv.URL+"/healthz", "")
		if got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") == "1" && strings.Contains(got.body, "try again") {
			break
		}
		if got.status != http.StatusOK || i == 100 {
			t.Fatalf("a plain route: %d %v %s", got.status, got.header, got.body)
		}
	}
}

func TestTooManyStreams(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{StreamsPerCaller: 2}})
	conn := servertest.Connections()[4]
	c := srv.Client(conn, client.WithRoundTripper(elsewhere(t, "127.0.0.2", true)))
	open := func(ctx context.Context) error {
		stream, err := c.Monitoring().StreamMetrics(ctx, &monitoringpb.MetricRequest{})
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = stream.Close() })
		_, err = stream.Receive()
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		if err := open(ctx); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, open(t.Context()), connect.CodeResourceExhausted, "2 streams open")
	cancel()
	servertest.Eventually(t, "a place is free", func() bool { return open(t.Context()) == nil })
}

// TestStalledBodies has many callers whose requests never end: they take no place
// at work, others are served, and after a while they are sent away.
func TestStalledBodies(t *testing.T) {
	const stalled = 20
	opts := server.Options{ReadTimeout: time.Second, Admission: admission.Options{CallsAtWork: 2}}
	srv := servertest.NewSeeded(t, opts)
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		f := func(path, contentType, sent string) {
			t.Helper()
			var attackers sync.WaitGroup
			for range stalled {
				attackers.Go(func() {
					body, rest := io.Pipe()
					defer rest.Close()
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, io.MultiReader(strings.NewReader(sent), body))
					if err != nil {
						t.Error(err)
						return
					}
					req.ContentLength = 1000
					req.Header.Set("Content-Type", contentType)
					res, err := c.Do(req)
					if err != nil {
						return // cut, which is as good
					}
					defer res.Body.Close()
					text, _ := io.ReadAll(res.Body) // it may be cut
					_ = rest.Close()                // or closing the answer waits for it
					if strings.Contains(string(text), "error") || strings.Contains(string(text), "fault") {
						return // told so in the answer's own way
					}
					status, _ := grpcStatus(answer{status: res.StatusCode, header: res.Header, trailer: res.Trailer, body: string(text)})
					if res.StatusCode == http.StatusOK && status == "0" {
						t.Errorf("%s: half a request was answered: %s", contentType, text)
					}
				})
			}
			for range 5 {
				if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
					t.Errorf("beside stalled bodies: %d %s", got.status, got.body)
				}
			}
			attackers.Wait() // they are let go, or the test does not end
		}
		f(getMetric, "application/json", "{")
		f(getMetric, "application/grpc-web", "\x00\x00\x00\x00\x20ab")
		f("/jsonrpc", "application/json", "{")
		f("/RPC2", "text/xml", "<methodCall>")
	})
	servertest.Eventually(t, "nobody else is at work", func() bool {
		return gauge(t, srv, "vitals_calls_at_work") == 1 // who asks is
	})
}

// TestSilentReporter opens a client's stream, says nothing, and is sent away.
func TestSilentReporter(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{ReadTimeout: 50 * time.Millisecond})
	for i, conn := range servertest.Connections() {
		t.Run(conn.Name, func(t *testing.T) {
			stream, err := srv.Client(conn).Diagnostics().Sum(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&diagnosticsv1.SumRequest{Number: 1}); err != nil {
				t.Fatal(err)
			}
			servertest.Eventually(t, "the stream is ended", func() bool { return len(srv.Log.Lines("DiagnosticsService/Sum", "code=deadline_exceeded")) == i+1 })
			if _, err := stream.CloseAndReceive(); err == nil {
				t.Error("half a stream was answered")
			}
		})
	}
}

// TestGuessing tries passwords: after a few the guesser has to wait, even with the
// right one, and nobody else has to.
func TestGuessing(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	populate(t, srv.Accounts())
	const password = "correct horse battery"
	for _, name := range []string{"viewer", "operator"} {
		if err := srv.Accounts().SetPassword(t.Context(), owner, name, password, ""); err != nil {
			t.Fatal(err)
		}
	}
	signIn := func(c *http.Client, name, password string) answer {
		return send(t, c, http.MethodPost, srv.URL+"/session", `{"name":"`+name+`","password":"`+password+`"}`, asJSON)
	}
	here, there := srv.HTTP1(), &http.Client{Transport: elsewhere(t, "127.0.0.2", false)}
	for range 5 {
		if got := signIn(here, "viewer", "wrong"); got.status != http.StatusUnauthorized {
			t.Fatalf("a wrong password: %d %s", got.status, got.body)
		}
	}
	for range 20 { // each may come just when the wait is over, and makes it longer then
		if got := signIn(here, "viewer", "wrong"); got.status == http.StatusTooManyRequests {
			break
		}
	}
	if got := signIn(here, "viewer", password); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "try again in") {
		t.Errorf("after many wrong ones: %d %v %s", got.status, got.header, got.body)
	}
	if got := signIn(there, "viewer", password); got.status != http.StatusNoContent {
		t.Errorf("from another address: %d %s", got.status, got.body)
	}
	if got := signIn(here, "operator", password); got.status != http.StatusNoContent {
		t.Errorf("another name: %d %s", got.status, got.body)
	}
	if got := send(t, here, http.MethodGet, srv.URL+"/metrics", ""); got.status != http.StatusUnauthorized {
		t.Errorf("/metrics without a token: %d", got.status)
	}
}

// TestTokenIsBounded bounds a token's calls, also those from this machine.
func TestTokenIsBounded(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 5}})
	p := populate(t, srv.Accounts())
	call := func(who string) error {
		_, err := srv.Client(servertest.Connections()[0], client.WithToken(p.secrets[who])).Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{})
		return err
	}
	var err error
	for range 200 {
		if err = call("viewer"); err != nil {
			break
		}
	}
	wantError(t, err, connect.CodeResourceExhausted, "more than 5 times a second")
	if err := call("operator"); err != nil {
		t.Errorf("another token: %v", err)
	}
}
