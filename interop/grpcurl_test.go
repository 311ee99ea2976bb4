package interop_test

import (
	"path/filepath"
	"testing"
)

// buildGRPCurl builds grpcurl from the module cache or the module proxy; it is no
// dependency of this module.
func buildGRPCurl(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("GOBIN", dir)
	t.Setenv("GOFLAGS", "")
	mustRun(t, dir, "go", "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4")
	return filepath.Join(dir, "grpcurl")
}

func TestGRPCurl(t *testing.T) {
	grpcurl := buildGRPCurl(t)
	srv := newServer(t)
	ask := func(args ...string) string { t.Helper(); return mustRun(t, "", grpcurl, args...) }

	has(t, "list", ask("-plaintext", srv.Addr, "list"), "monitoring.MonitoringService\n", "grpc.health.v1.Health\n")
	has(t, "list of a service", ask("-plaintext", srv.Addr, "list", "monitoring.MonitoringService"), "monitoring.MonitoringService.StreamMetrics\n")
	has(t, "describe", ask("-plaintext", srv.Addr, "describe", "monitoring.MonitoringService"),
		"monitoring.MonitoringService is a service:", "rpc GetMetric ( .monitoring.MetricRequest ) returns ( .monitoring.MetricResponse )",
		"rpc StreamMetrics ( .monitoring.MetricRequest ) returns ( stream .monitoring.MetricResponse );", "rpc CheckHealth ( .monitoring.HealthRequest )")
	has(t, "describe of a message", ask("-plaintext", srv.Addr, "describe", "monitoring.MetricResponse"), "double value = 3;", "int64 timestamp = 4;")
	has(t, "GetMetric", ask("-plaintext", "-d", `{"hostname":"server01"}`, srv.Addr, "monitoring.MonitoringService/GetMetric"),
		`"hostname": "server01"`, `"metricType": "cpu"`, `"unit": "percent"`, `"timestamp": "`)
	has(t, "health", ask("-plaintext", "-d", `{"service":"api"}`, srv.Addr, "grpc.health.v1.Health/Check"), `"status": "SERVING"`)

	out, talk, ok := run(t, "", grpcurl, "-plaintext", "-d", `{"hostname":"server02"}`, srv.Addr, "monitoring.MonitoringService/GetMetric")
	if ok {
		t.Errorf("an unknown host: %s", out)
	}
	has(t, "an unknown host", talk, "Code: NotFound", "nearest: server01")
	_, talk, _ = run(t, "", grpcurl, "-plaintext", "-max-time", "2", srv.Addr, "monitoring.MonitoringService/StreamMetrics")
	has(t, "a deadline", talk, "DeadlineExceeded")
}
