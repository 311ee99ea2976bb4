package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// waitingSamples reads what waits in the spool of an agent that has ended: the
// samples by series.
func waitingSamples(tb testing.TB, dir, host string) map[string][]point {
	tb.Helper()
	q, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	defer q.Close()
	records, _, err := q.Read(0, 0, 0)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]point{}
	for _, r := range records {
		var req monitoringv1.ReportRequest
		if err := proto.Unmarshal(append(append([]byte{}, r.Preamble...), r.Data...), &req); err != nil {
			tb.Fatal(err)
		}
		names := map[uint32]string{}
		for _, def := range req.GetSeries() {
			var labels metric.Labels
			for name, value := range def.GetSeries().GetLabels() {
				labels = append(labels, metric.Label{Name: name, Value: value})
			}
			names[def.GetId()] = key(metric.NewSeries(def.GetSeries().GetMetricType(), host, labels))
		}
		for _, s := range req.GetSamples() {
			for i, id := range s.GetSeriesIds() {
				out[names[id]] = append(out[names[id]], point{s.GetTime().AsTime().UnixMilli(), s.GetValues()[i]})
			}
		}
	}
	return out
}

// TestStopSendsTheRest runs the real agent twice: first without a server, so that
// its spool tells what it has measured, then with one, to which it must have sent
// everything when it ends.
func TestStopSendsTheRest(t *testing.T) {
	t.Parallel()
	s := newServer(t, filepath.Join(t.TempDir(), "data"))
	dir := filepath.Join(t.TempDir(), "spool")
	a := newProcess(t, "the agent", binary, nil, "agent", "--server", s.url, "--hostname", "web-1",
		"--spool-dir", dir, "--interval", "100ms")
	stop := func() {
		t.Helper()
		if code, took := a.stop(); code != 0 || took > 5*time.Second+slowExit {
			t.Errorf("it ended with code %d after %s; want 0 within 5s", code, took)
		}
	}
	a.start()
	eventually(t, "the agent notices that there is no server", func() bool { return a.log.says("cannot report") })
	pause(2*time.Second, 3*time.Second)
	stop()
	id, err := os.ReadFile(filepath.Join(dir, "host-id"))
	if err != nil || len(id) < 10 {
		t.Errorf("host id %q, %v", id, err)
	}
	measured := waitingSamples(t, dir, "web-1")
	rounds := len(measured[key(metric.NewSeries("memory", "web-1", nil))])
	if rounds < 10 {
		t.Fatalf("the spool has %d rounds only", rounds)
	}

	s.up()
	a.start()
	eventually(t, "the agent is up again", func() bool { return strings.Count(a.log.String(), `"msg":"agent"`) == 2 })
	pause(0, 3*time.Second) // before the first word with the server, or in the middle of a stream
	stop()
	if left := waitingSamples(t, dir, "web-1"); len(left) > 0 {
		t.Errorf("%d series wait in the spool", len(left))
	}
	again, err := os.ReadFile(filepath.Join(dir, "host-id"))
	if err != nil || string(again) != string(id) {
		t.Errorf("the host's id was %q and is %q (%v)", id, again, err)
	}
	s.kill()
	stored := readHost(t, openHistory(t, s.dir), "web-1")
	n := 0
	for series, points := range measured {
		values := map[int64][]float64{}
		for _, p := range stored[series] {
			values[p.at] = append(values[p.at], p.value)
		}
		for _, p := range points {
			if got := values[p.at]; len(got) != 1 || got[0] != p.value {
				t.Fatalf("%s: %v at %d is stored as %v", series, p.value, p.at, got)
			}
			n++
		}
	}
	t.Logf("%d samples of %d rounds, each there once", n, rounds)
}

// slowExit is what a busy machine and the race detector add to an exit.
const slowExit = 3 * time.Second
