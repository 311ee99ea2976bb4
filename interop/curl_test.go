package interop_test

import (
	"encoding/json"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const getMetric = "/monitoring.MonitoringService/GetMetric"

func TestCurl(t *testing.T) {
	curl := tool(t, "curl", "curl")
	srv := newServer(t)
	_, port, err := net.SplitHostPort(srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
		t.Run(version, func(t *testing.T) {
			ask := func(args ...string) string {
				t.Helper()
				return mustRun(t, "", curl, append([]string{"-sS", "--max-time", "60", version}, args...)...)
			}
			// As the README has it, but for the port.
			text := ask("-H", "Content-Type: application/json", "-d", `{"hostname":"server01","metricType":"cpu"}`, "127.0.0.1:"+port+getMetric)
			var sample struct {
				Hostname, MetricType, Unit string
				Value                      float64
				Timestamp                  json.Number
			}
			if err := json.Unmarshal([]byte(text), &sample); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			at, err := sample.Timestamp.Int64()
			if sample.Hostname != "server01" || sample.MetricType != "cpu" || sample.Unit != "percent" || sample.Value < 0 || sample.Value > 100 ||
				err != nil || math.Abs(float64(time.Now().Unix()-at)) > 5 {
				t.Errorf("%s", text)
			}
			has(t, "GET", ask(srv.URL+getMetric+"?encoding=json&message=%7B%22metricType%22%3A%22memory%22%7D"), `"unit":"GB"`)
			has(t, "--compressed", ask("--compressed", "-H", "Content-Type: application/json", "-d", "{}", srv.URL+getMetric), `"cpu"`)

			asJSON := []string{"-H", "Content-Type: application/json", "-w", " HTTP %{http_code}"}
			fails := func(path, data string, parts ...string) {
				t.Helper()
				has(t, data, ask(append(asJSON, "-d", data, srv.URL+path)...), parts...)
			}
			fails(getMetric, `{"hostname":"server02"}`, "not_found", `nearest: server01`, "HTTP 404")
			fails(getMetric, `{"metricType":"cpus"}`, "not_found", "nearest: cpu", "HTTP 404")
			fails(getMetric, `this is no JSON`, "invalid_argument", "HTTP 400")
			fails("/monitoring.MonitoringService/Nope", `{}`, "unimplemented", "there is no procedure", "HTTP 404")
			has(t, "no content type", ask("-H", "Content-Type: text/plain", "-d", "{}", srv.URL+getMetric), "application/json")
			has(t, "PUT", ask("-X", "PUT", srv.URL+getMetric), "POST")
		})
	}
}

// A hundred megabytes are refused in words, and the server goes on.
func TestCurlHundredMegabytes(t *testing.T) {
	curl := tool(t, "curl", "curl")
	srv := newServer(t)
	large := filepath.Join(t.TempDir(), "large.json")
	f, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(100 << 20); err != nil { // zeros that take no space
		t.Fatal(err)
	}
	for _, version := range []string{"--http1.1", "--http2-prior-knowledge"} {
		out, talk, _ := run(t, "", curl, "-sS", "--max-time", "60", version, "-H", "Content-Type: application/json", "--data-binary", "@"+large, srv.URL+getMetric)
		if !strings.Contains(out, "resource_exhausted") {
			t.Errorf("%s: %q %q", version, out, talk)
		}
		has(t, "after it", mustRun(t, "", curl, "-sS", version, "-H", "Content-Type: application/json", "-d", "{}", srv.URL+getMetric), `"server01"`)
	}
}
