package interop_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"
	"time"
)

// TestPython runs a client that knows of the server nothing but our .proto.
func TestPython(t *testing.T) {
	t.Parallel()
	protoc := tool(t, "protoc", "protobuf-compiler")
	plugin := tool(t, "grpc_python_plugin", "protobuf-compiler-grpc")
	const python = "/usr/bin/python3" // Debian's own, for which its packages are
	if _, talk, ok := run(t, "", python, "-c", "import grpc, google.protobuf"); !ok {
		t.Fatalf("Python's grpc is missing: apt-get install python3-grpcio\n%s", talk)
	}
	stubs := t.TempDir()
	contract, err := filepath.Abs("../proto")
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, stubs, protoc, "-I"+contract, "--python_out=.", "--grpc_out=.", "--plugin=protoc-gen-grpc="+plugin, "monitoring/metrics.proto")
	script, err := filepath.Abs("testdata/classic_client.py")
	if err != nil {
		t.Fatal(err)
	}

	srv := newServer(t)
	out := mustRun(t, stubs, python, script, stubs, srv.Addr)
	var got struct {
		One struct {
			Hostname, MetricType, Unit string
			Value                      float64
			Timestamp                  int64
		}
		Values  []float64
		Seconds float64
		Health  struct {
			Healthy bool
			Message string
		}
		NotFound, NotFoundText string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.One.Hostname != "server01" || got.One.MetricType != "cpu" || got.One.Unit != "percent" || math.Abs(float64(time.Now().Unix()-got.One.Timestamp)) > 20 {
		t.Errorf("one metric: %+v", got.One)
	}
	if len(got.Values) != 10 || got.Seconds < 8 || got.Seconds > 10 {
		t.Errorf("%d streamed in %.1f s, want 10 in 9 s", len(got.Values), got.Seconds)
	}
	if !got.Health.Healthy || got.Health.Message != "Service api is running" {
		t.Errorf("health: %+v", got.Health)
	}
	if got.NotFound != "NOT_FOUND" {
		t.Errorf("an unknown host: %s", got.NotFound)
	}
	has(t, "an unknown host", got.NotFoundText, `host "server02" is not known; nearest: server01`)
}
