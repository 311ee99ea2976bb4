package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
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
	for round := 0; ; round++ { // the right one may come just when the wait is over, and then all begins anew
		for range 20 { // and so may each wrong one, which makes the wait longer
			if got := signIn(here, "viewer", "wrong"); got.status == http.StatusTooManyRequests {
				break
			}
		}
		got := signIn(here, "viewer", password)
		if got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") != "" && strings.Contains(got.body, "try again in") {
			break
		}
		if got.status != http.StatusNoContent || round == 5 {
			t.Fatalf("after many wrong ones: %d %v %s", got.status, got.header, got.body)
		}
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

// TestStrangersAreCounted has callers refused who have shown nothing, or a token
// that does not hold: their address has the same bound, and a token from there that
// holds does not suffer.
func TestStrangersAreCounted(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 20}})
	p := populate(t, srv.Accounts())
	c := &http.Client{Transport: elsewhere(t, "127.0.0.2", true)}
	counted := func() string {
		t.Helper()
		_, rest, ok := strings.Cut(send(t, srv.HTTP2(), http.MethodGet, srv.URL+"/metrics", "", p.header("admin")).body, `vitals_admission_refused_total{bound="calls"} `)
		if !ok {
			t.Fatal("there is no count of refusals")
		}
		count, _, _ := strings.Cut(rest, "\n")
		return count
	}
	f := func(path, contentType, body string, header ...string) {
		t.Helper()
		before := counted()
		for range 50 {
			for range 20 {
				send(t, c, http.MethodPost, srv.URL+path, body, append(header, "Content-Type: "+contentType)...)
			}
			if counted() != before {
				return
			}
		}
		t.Errorf("who is refused at %s is not counted", path)
	}
	f(getMetric, "application/json", "{}")
	f(getMetric, "application/json", "{}", "Authorization: Bearer secret")
	f("/jsonrpc", "application/json", "{}", "Authorization: Bearer secret")
	f("/RPC2", "text/xml", "", "Authorization: Bearer secret")
	f("/session", "application/json", "{}", "Authorization: Bearer secret")
	if got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON, p.header("operator")); got.status != http.StatusOK {
		t.Errorf("a token from that address: %d %s", got.status, got.body)
	}
}

// TestRefusalsAreHeldBack has a caller go far over its rate: what refuses it takes
// its time, over every version of HTTP, and nobody else is kept waiting.
func TestRefusalsAreHeldBack(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 1}})
	for _, overHTTP2 := range []bool{false, true} {
		c := &http.Client{Transport: elsewhere(t, "127.0.0.2", overHTTP2)}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for ctx.Err() == nil {
					send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON)
				}
			})
		}
		servertest.Eventually(t, "many refusals are held back", func() bool { return gauge(t, srv, "vitals_refusals_held") > 20 })
		if got := send(t, srv.HTTP2(), http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
			t.Errorf("another caller: %d %s", got.status, got.body)
		}
		cancel()
		all.Wait()
		servertest.Eventually(t, "none is", func() bool { return gauge(t, srv, "vitals_refusals_held") == 0 })
	}
}

// TestDocumentsAreCounted: what has to be parsed before it is known what is called
// passes the gate before that, also where it is no call; and a call in it does not
// count twice.
func TestDocumentsAreCounted(t *testing.T) {
	const perSecond = 5
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: perSecond, BytesPerSecond: 10_000}})
	last := byte(1)
	from := func() *http.Client { // whose count begins anew
		last++
		return &http.Client{Transport: elsewhere(t, "127.0.0."+strconv.Itoa(int(last)), true)}
	}
	xml := func(method string) string {
		return "<methodCall><methodName>" + method + "</methodName></methodCall>"
	}
	refused := func(path, contentType, body, says string) {
		t.Helper()
		c := from()
		for range 100 {
			got := send(t, c, http.MethodPost, srv.URL+path, body, "Content-Type: "+contentType)
			if strings.Contains(got.body, says) {
				return
			}
		}
		t.Errorf("%.60q at %s is never refused with %q", body, path, says)
	}
	const often = "more than 5 times a second"
	refused("/jsonrpc", "application/json", "{", often)
	refused("/jsonrpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"nothing"}`, often)
	refused("/jsonrpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`, often)
	refused("/RPC2", "text/xml", "<", often)
	refused("/RPC2", "text/xml", xml("nothing"), often)
	refused("/RPC2", "text/xml", xml("system.listMethods"), often)
	refused("/jsonrpc", "application/json", "["+strings.Repeat(" ", 15_000), "more than 10000 bytes a second")
	refused("/RPC2", "text/xml", "<"+strings.Repeat(" ", 15_000), "more than 10000 bytes a second")

	one := `{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`
	got := send(t, from(), http.MethodPost, srv.URL+"/jsonrpc", "["+strings.Repeat(one+",", 99)+one+"]", asJSON)
	if n := strings.Count(got.body, often); n < 50 {
		t.Errorf("of a batch of 100, %d were refused", n)
	}
	f := func(path, contentType, body string) {
		t.Helper()
		c := from()
		for i := range 2 * perSecond {
			got := send(t, c, http.MethodPost, srv.URL+path, body, "Content-Type: "+contentType)
			if got.status != http.StatusOK || strings.Contains(got.body, often) {
				t.Fatalf("call %d of those that may come at once: %d %s", i, got.status, got.body)
			}
		}
	}
	f("/jsonrpc", "application/json", `{"jsonrpc":"2.0","id":1,"method":"get_metric"}`)
	f("/RPC2", "text/xml", xml("get_metric"))

	c := from()
	for i := 0; ; i++ {
		got := send(t, c, http.MethodPost, srv.URL+"/jsonrpc", "{", asJSON)
		if strings.Contains(got.body, often) {
			if got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "google.rpc.RetryInfo") || !strings.Contains(got.body, `"code":-32008`) {
				t.Errorf("%v %s", got.header, got.body)
			}
			break
		}
		if i > 100 {
			t.Fatal("never refused")
		}
	}
}

// TestPageIsCounted: what is answered by no call has the same bound.
func TestPageIsCounted(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsPerSecond: 5}})
	c := &http.Client{Transport: elsewhere(t, "127.0.0.2", false)}
	for i := 0; ; i++ {
		got := send(t, c, http.MethodGet, srv.URL+"/nothing", "")
		if got.status == http.StatusTooManyRequests {
			break
		}
		if i > 100 {
			t.Fatalf("never refused: %d", got.status)
		}
	}
}

// TestBombsAreCounted has messages refused that are larger, unpacked, than may be:
// what was unpacked counts as what the caller has sent.
func TestBombsAreCounted(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{MaxMessageBytes: 1 << 20, Admission: admission.Options{BytesPerSecond: 300 << 10}})
	packed := gzipped(t, strings.Repeat("\x00", 8<<20))
	for i, path := range []string{getMetric, "/jsonrpc"} {
		c := &http.Client{Transport: elsewhere(t, "127.0.0."+strconv.Itoa(2+i), true)}
		for n := 0; ; n++ {
			got := send(t, c, http.MethodPost, srv.URL+path, packed, asJSON, "Content-Encoding: gzip")
			if strings.Contains(got.body, "bytes a second") {
				break
			}
			if n > 50 {
				t.Fatalf("%s: never refused for its bytes: %d %s", path, got.status, got.body)
			}
		}
	}
}

// TestBytesOfStreamsCountOnce: the end of a stream does not count as the message
// before it.
func TestBytesOfStreamsCountOnce(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{BytesPerSecond: 1000}})
	for i, conn := range servertest.Connections() {
		if !conn.HTTP2 {
			continue // no stream goes both ways
		}
		stream, err := srv.Client(conn, client.WithRoundTripper(elsewhere(t, "127.0.0."+strconv.Itoa(2+i), true))).Diagnostics().Echo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&diagnosticsv1.EchoRequest{Payload: make([]byte, 2500)}); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Receive(); err != nil {
			t.Errorf("%s: %v", conn.Name, err)
		}
		if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("%s ended with %v", conn.Name, err)
		}
	}
}
