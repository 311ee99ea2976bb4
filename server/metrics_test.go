package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
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
