package server_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// wantError holds an error to its code and to texts of its message.
func wantError(t *testing.T, err error, code connect.Code, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v with %q", code, texts)
	}
	if got := connect.CodeOf(err); got != code {
		t.Errorf("code %v, want %v, of: %v", got, code, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

func TestGetMetric(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.PutSeries(metric.NewSeries(metric.CPU, "web-1", nil), 99)
	srv.PutSeries(metric.NewSeries("cpu_core", servertest.Hostname, metric.NewLabels("core", "0")), 1)
	srv.PutSeries(metric.NewSeries("cpu_core", servertest.Hostname, metric.NewLabels("core", "1")), 2)
	before := time.Now().Unix()

	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).Monitoring()
		f := func(host, metricType string, want *monitoringpb.MetricResponse) {
			t.Helper()
			got, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{Hostname: host, MetricType: metricType})
			if err != nil {
				t.Errorf("GetMetric(%q, %q): %v", host, metricType, err)
				return
			}
			if age := before - got.GetTimestamp(); age < -5 || age > 5 {
				t.Errorf("GetMetric(%q, %q): timestamp %d is not about now in Unix seconds", host, metricType, got.GetTimestamp())
			}
			got.Timestamp = 0
			if got.String() != want.String() {
				t.Errorf("GetMetric(%q, %q) = %v, want %v", host, metricType, got, want)
			}
		}
		cpu := &monitoringpb.MetricResponse{Hostname: "server01", MetricType: "cpu", Value: 12.5, Unit: "percent"}
		f("", "", cpu)
		f("server01", "", cpu)
		f("", "cpu", cpu)
		f("server01", "cpu", cpu)
		f("", "memory", &monitoringpb.MetricResponse{Hostname: "server01", MetricType: "memory", Value: 3.25, Unit: "GB"})
		f("", "disk", &monitoringpb.MetricResponse{Hostname: "server01", MetricType: "disk", Value: 40, Unit: "GB"})
		f("web-1", "", &monitoringpb.MetricResponse{Hostname: "web-1", MetricType: "cpu", Value: 99, Unit: "percent"})

		fail := func(host, metricType string, code connect.Code, texts ...string) {
			t.Helper()
			_, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{Hostname: host, MetricType: metricType})
			wantError(t, err, code, texts...)
		}
		fail("web-2", "", connect.CodeNotFound, `host "web-2" is not known`, "nearest: web-1, server01")
		fail("", "cpus", connect.CodeNotFound, `metric type "cpus" is not known on host "server01"`, "nearest: cpu, ")
		fail("web-1", "disk", connect.CodeNotFound, `on host "web-1"`, "nearest: cpu")
		fail("", "cpu_core", connect.CodeInvalidArgument, "2 series", "server01")
	})
}

func TestGetMetricBeforeFirstSample(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).Monitoring()
		_, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{})
		wantError(t, err, connect.CodeUnavailable, `host "server01" has sent no sample of "cpu"`, "try again")
		_, err = c.GetMetric(t.Context(), &monitoringpb.MetricRequest{Hostname: "other"})
		wantError(t, err, connect.CodeNotFound, `host "other" is not known`)
		res, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "collector"})
		if err != nil || res.GetHealthy() || !strings.HasPrefix(res.GetMessage(), "Service collector is not running: ") {
			t.Errorf("collector without a sample: %v, %v", res, err)
		}
	})
}

func TestCheckHealth(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := srv.Client(conn).Monitoring()
		f := func(service, message string) {
			t.Helper()
			res, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: service})
			if err != nil || !res.GetHealthy() || res.GetMessage() != message {
				t.Errorf("CheckHealth(%q) = %v, %v; want healthy, %q", service, res, err, message)
			}
		}
		f("", "Service vitals is running")
		f(health.Server, "Service vitals is running")
		f(health.API, "Service api is running")
		f(health.Collector, "Service collector is running")
		f(health.Live, "Service live is running")

		_, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "databse"})
		wantError(t, err, connect.CodeNotFound, `service "databse" is not known`, "api", "collector", "live")
	})
}

// received is what a stream gave and when, counted from its start.
type received struct {
	values []float64
	at     []time.Duration
}

func receiveAll(ctx context.Context, t *testing.T, srv *servertest.Server, conn servertest.Connection, req *monitoringpb.MetricRequest) (got received, err error) {
	t.Helper()
	start := time.Now()
	stream, err := srv.Client(conn).Monitoring().StreamMetrics(ctx, req)
	if err != nil {
		return got, err
	}
	defer func() { _ = stream.Close() }()
	for {
		res, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got.values = append(got.values, res.GetValue())
		got.at = append(got.at, time.Since(start))
	}
}

// late is what a busy machine may add to the nine seconds of a stream: with two
// seconds from sample to sample a stream would take longer still.
const late = 8 * time.Second

func TestStreamMetrics(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{})
	counting, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // five samples a second, whose value is their time: the stream must take the newest of them
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for begin := time.Now(); ; {
			srv.Put(metric.CPU, time.Since(begin).Seconds())
			select {
			case <-ticker.C:
			case <-counting.Done():
				return
			}
		}
	}()
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		got, err := receiveAll(t.Context(), t, srv, conn, &monitoringpb.MetricRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.values) != 10 {
			t.Fatalf("%d samples, want 10: %v", len(got.values), got.values)
		}
		for i, at := range got.at {
			want := time.Duration(i) * time.Second
			if at < want-100*time.Millisecond || at > want+late {
				t.Errorf("sample %d came after %v, want about %v", i+1, at, want)
			}
			if i > 0 && got.values[i] < got.values[i-1] {
				t.Errorf("sample %d is older than the one before: %v", i+1, got.values)
			}
		}
		// One after the other they would move on by two seconds in all.
		if moved := got.values[9] - got.values[0]; moved < 4 {
			t.Errorf("the values move on by %v seconds in nine: %v", moved, got.values)
		}
	})
}

// A host that has gone silent is still answered: ten times its last sample.
func TestStreamMetricsOfSilentHost(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{})
	got, err := receiveAll(t.Context(), t, srv, servertest.Connections()[4], &monitoringpb.MetricRequest{MetricType: "disk"})
	if want := []float64{40, 40, 40, 40, 40, 40, 40, 40, 40, 40}; err != nil || !cmp.Equal(got.values, want) {
		t.Errorf("got %v, %v; want %v", got.values, err, want)
	}
	if took := got.at[len(got.at)-1]; took < 8*time.Second || took > 9*time.Second+late {
		t.Errorf("took %v, want about 9 s", took)
	}
}

func TestStreamMetricsErrors(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		_, err := receiveAll(t.Context(), t, srv, conn, &monitoringpb.MetricRequest{Hostname: "server02"})
		wantError(t, err, connect.CodeNotFound, `host "server02" is not known`, "nearest: server01")
		_, err = receiveAll(t.Context(), t, srv, conn, &monitoringpb.MetricRequest{MetricType: "dsk"})
		wantError(t, err, connect.CodeNotFound, `"dsk"`, "nearest: disk")
	})
}
