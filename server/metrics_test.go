package server_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sync/errgroup"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/jsonrpc"
	"github.com/vitals-rpc/vitals/server/loglimit"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// scrape reads /metrics as value by series.
func scrape(t *testing.T, srv *servertest.Server) map[string]string {
	t.Helper()
	got := send(t, srv.HTTP1(), http.MethodGet, srv.URL+"/metrics", "")
	if got.status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", got.status, got.body)
	}
	series := map[string]string{}
	for line := range strings.Lines(got.body) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			series[line[:i]] = strings.TrimSpace(line[i+1:])
		}
	}
	return series
}

func gauge(t *testing.T, srv *servertest.Server, name string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(scrape(t, srv)[name], 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

func TestMetrics(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for _, conn := range servertest.Connections() {
		c := srv.Client(conn).Monitoring()
		for range 3 {
			if _, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "nothing"}); err == nil {
			t.Fatal("no error")
		}
	}
	series := scrape(t, srv)
	f := func(name, labels, want string) {
		t.Helper()
		name += "{" + strings.ReplaceAll(labels, "SERVICE", `service="monitoring.MonitoringService"`) + "}"
		if series[name] != want {
			t.Errorf("%s is %q, want %s", name, series[name], want)
		}
	}
	for protocol, connections := range map[string]int{"connect": 4, "grpc": 1, "grpcweb": 2} {
		f("grpc_requests_total", `code="ok",method="GetMetric",protocol="`+protocol+`",SERVICE`, strconv.Itoa(3*connections))
		f("grpc_requests_total", `code="not_found",method="CheckHealth",protocol="`+protocol+`",SERVICE`, strconv.Itoa(connections))
		f("grpc_request_duration_seconds_count", `method="GetMetric",protocol="`+protocol+`",SERVICE`, strconv.Itoa(3*connections))
		f("grpc_request_duration_seconds_bucket", `method="GetMetric",protocol="`+protocol+`",SERVICE,le="+Inf"`, strconv.Itoa(3*connections))
	}
	for _, name := range []string{"grpc_streams_open", "go_goroutines", "process_resident_memory_bytes"} {
		if series[name] == "" {
			t.Errorf("no %s", name)
		}
	}
}

// What protects the server is seen at /metrics.
func TestMetricsOfLimits(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{
		MaxStreams: 1, MaxStreamAge: 3 * time.Second, ReadTimeout: 300 * time.Millisecond, SendTimeout: sendTimeout,
	})
	conn := servertest.Connections()[0]
	f := func(name string, want float64) {
		t.Helper()
		servertest.Eventually(t, fmt.Sprintf("%s is %v", name, want), func() bool { return gauge(t, srv, name) == want })
	}
	end := openStream(t.Context(), t, srv, conn)
	f(`grpc_calls_in_flight{kind="stream"}`, 1)
	if _, err := receiveAll(t.Context(), t, srv, conn, &monitoringpb.MetricRequest{}); err == nil {
		t.Error("a stream beyond the limit is served")
	}
	f(`vitals_admission_refused_total{bound="streams_in_all"}`, 1)
	f(`grpc_stream_lifetime_seconds_count{end="refused"}`, 1)
	if err := end(); err == nil {
		t.Error("a stream has no end")
	}
	f(`vitals_deadlines_expired_total{deadline="age"}`, 1)
	f(`grpc_stream_lifetime_seconds_count{end="deadline"}`, 1)
	f("grpc_streams_opened_total", 2)
	f(`grpc_calls_in_flight{kind="stream"}`, 0)

	slow := srv.Dial()
	if _, err := io.WriteString(slow, "POST "+getMetric+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	f(`vitals_deadlines_expired_total{deadline="read"}`, 1)
	f(`grpc_calls_in_flight{kind="unary"}`, 0)
	for i, c := range []*http.Client{srv.HTTP1(), srv.HTTP2()} {
		send(t, c, http.MethodPost, srv.URL+"/made.Up/Method", "{}", asJSON)
		send(t, c, http.MethodPost, srv.URL+"/jsonrpc", `{"jsonrpc":"2.0","id":1,"method":"made_up"}`, asJSON)
		f(`grpc_requests_total{code="unimplemented",method="unknown",protocol="connect",service="unknown"}`, float64(i+1))
		f(`grpc_requests_total{code="unimplemented",method="unknown",protocol="`+jsonrpc.Protocol+`",service="unknown"}`, float64(i+1))
	}
}

// Streams that were cut because their caller did not read count as such.
func TestMetricsOfSlowReaders(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{SendTimeout: sendTimeout})
	peer := newRawPeer(t, srv, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	peer.request(1, streamMetrics, "application/grpc", "\x00\x00\x00\x00\x00")
	peer.wantReset(1)
	servertest.Eventually(t, "it is counted", func() bool {
		series := scrape(t, srv)
		return series[`vitals_deadlines_expired_total{deadline="send"}`] == "1" && series[`grpc_stream_lifetime_seconds_count{end="slow"}`] == "1"
	})
}

// The log grows no faster than a bound, however many calls fail.
func TestLogIsBounded(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	start := time.Now()
	var callers errgroup.Group
	const each = 500
	for range 4 {
		c := srv.Client(servertest.Connections()[4]).Monitoring()
		callers.Go(func() error {
			for range each {
				if _, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "nothing"}); err == nil {
					return errors.New("an unknown service is known")
				}
			}
			return nil
		})
	}
	if err := callers.Wait(); err != nil {
		t.Fatal(err)
	}
	seconds := int(time.Since(start)/time.Second) + 2
	written := len(srv.Log.Lines("msg=call", "code=not_found"))
	if written > seconds*loglimit.PerSecond {
		t.Errorf("%d records in %d seconds", written, seconds)
	}
	servertest.Eventually(t, "it is told how many were left out", func() bool {
		sum := written
		for _, line := range srv.Log.Lines("left out", "of=call") {
			_, n, _ := strings.Cut(line, "records=")
			left, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil {
				t.Fatal(err)
			}
			sum += left
		}
		return sum == 4*each
	})
}

func TestStreamsOpen(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for i, conn := range servertest.Connections() {
		openStream(t.Context(), t, srv, conn)
		if got := gauge(t, srv, "grpc_streams_open"); got != float64(i+1) {
			t.Errorf("%v streams open, want %d", got, i+1)
		}
	}
}

// What callers make up must not become series, or anyone could fill the memory
// of the server and of what scrapes it.
func TestMetricsLabelsAreBounded(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	try := func(n int) {
		for _, c := range []*http.Client{srv.HTTP1(), srv.HTTP2()} {
			send(t, c, http.MethodPost, fmt.Sprintf("%s/made.Up%d/Method", srv.URL, n), "{}", asJSON)
			send(t, c, http.MethodPost, fmt.Sprintf("%s/monitoring.MonitoringService/MadeUp%d", srv.URL, n), "{}", asJSON)
			send(t, c, http.MethodPost, fmt.Sprintf("%s/monitoring.MonitoringService/MadeUp%d", srv.URL, n), "{}", fmt.Sprintf("Content-Type: application/grpc+x%d", n))
			send(t, c, http.MethodPost, srv.URL+getMetric, fmt.Sprintf(`{"hostname":"made-up-%d"}`, n), asJSON)
			send(t, c, http.MethodGet, fmt.Sprintf("%s/%d", srv.URL, n), "")
			send(t, c, fmt.Sprintf("METHOD%d", n), srv.URL+getMetric, "")
		}
	}
	names := func() []string {
		var out []string
		for name := range scrape(t, srv) {
			if strings.HasPrefix(name, "grpc_") {
				out = append(out, name)
			}
		}
		return slices.Sorted(slices.Values(out))
	}
	try(0)
	before := names()
	for n := range 10 {
		try(n + 1)
	}
	if after := names(); !slices.Equal(before, after) {
		t.Errorf("series before:\n%s\nafter made-up calls:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if strings.Contains(strings.ToLower(strings.Join(before, "\n")), "made") {
		t.Errorf("a caller's own words are labels:\n%s", strings.Join(before, "\n"))
	}
}
