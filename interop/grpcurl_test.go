package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// installed is grpcurl, once, among what this user's programs keep: Go does not link
// it again where it is up to date.
var installed = sync.OnceValues(func() (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4")
	cmd.Env = append(os.Environ(), "GOBIN="+filepath.Join(cache, "vitals-interop"), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return filepath.Join(cache, "vitals-interop", "grpcurl"), nil
})

// buildGRPCurl builds grpcurl from the module cache or the module proxy; it is no
// dependency of this module.
func buildGRPCurl(t *testing.T) string {
	t.Helper()
	path, err := installed()
	if err != nil {
		t.Fatalf("installing grpcurl: %v", err)
	}
	return path
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
