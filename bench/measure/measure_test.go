package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program builds the server once for all parts.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vitals")
	cmd := exec.Command("go", "build", "-C", "..", "-trimpath", "-o", path, "./cmd/vitals")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vitals does not build: %v: %s", err, out)
	}
	return path
}

// Each part still measures: the servers start, show tokens, take the load, and
// answer it right, or else the part fails. How fast that is, is not tested. Peers
// that cannot be had are left out, loudly. The backlog is ingest in another shape,
// and query fills a year: both take too long for a test.
func TestEveryPartMeasures(t *testing.T) {
	t.Chdir("..") // as go -C bench run ./measure
	vitals := program(t)
	f := func(part string, want ...string) {
		t.Helper()
		t.Run(part, func(t *testing.T) {
			b := &bench{
				vitals: vitals, cache: defaultCache(), record: "testdata/host.recording",
				rounds: 1, each: 200 * time.Millisecond, samples: 30_000, warmUp: time.Second, watch: 2 * time.Second, queries: 4,
				hosts: 3, fans: []fan{{subscribers: 20, perSecond: 10, conns: 2}}, fleets: []int{3}, idle: 100 * time.Millisecond,
			}
			if err := b.measure(t.Context(), []string{part}, ""); err != nil {
				t.Fatal(err)
			}
			for name, version := range b.versions {
				if strings.HasPrefix(version, "cannot") {
					t.Logf("NOT MEASURED BESIDE %s, WHICH %s", name, version)
					want = nil
				}
			}
			rows := b.table.Markdown("")
			for _, row := range want {
				if !strings.Contains(rows, row) {
					t.Errorf("no figure of %q in:\n%s", row, rows)
				}
			}
		})
	}
	f("rpc", "by gRPC, a call, vitals serve --http2=own", "Connect JSON over HTTP/1.1", "gRPC-Web over HTTP/2", "stream of 1,000")
	f("fanout", "CPU s a million messages", "p99 from ingest to client", "resident KiB a subscriber")
	f("ingest", "to those of VictoriaMetrics, live", "to those of Prometheus, live")
	f("disk", "VictoriaMetrics", "Prometheus")
	f("day", "of 1 host(s)", "of 3 host(s)", "of the faster")
	f("agent", "vitals agent, CPU", "node_exporter, CPU", "Netdata, CPU", "Glances, resident")
	f("growth", "3 hosts of 30 series")
	f("startup", "on an empty folder, ms", "on a day of 3 series")
}
