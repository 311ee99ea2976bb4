package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// eventuallyMeasured waits until the server has measured its own host.
func eventuallyMeasured(tb testing.TB, c *client.Client) {
	tb.Helper()
	eventually(tb, "the server measures its host", func() bool {
		_, err := c.Monitoring().GetMetric(context.Background(), &monitoring.MetricRequest{})
		return err == nil
	})
}

// TestFleetSurvivesKill kills the server once it has saved who reports.
func TestFleetSurvivesKill(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := newProcess(t, "the agent", binary, nil, "agent", "--server", s.url, "--hostname", "web-1",
		"--spool-dir", t.TempDir(), "--tag", "env=prod", "--tag", "role=web")
	a.start()
	status, _, text := post(t, s, "web-2", sample("queue_depth", 3).with("unit", "jobs").with("help", "Jobs that wait.").with("kind", "METRIC_KIND_COUNTER"))
	if status != 200 {
		t.Fatal(text)
	}
	file := filepath.Join(s.dir, "fleet.json")
	eventually(t, "it is saved", func() bool {
		data, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(data), "queue_depth") && strings.Contains(string(data), "role")
	})
	before := hosts(t, s)
	a.kill()
	s.kill()
	s.up()
	after := hosts(t, s)
	for _, name := range []string{"web-1", "web-2"} {
		b, a := before[name], after[name]
		if a == nil || !a.GetFirstSeen().AsTime().Equal(b.GetFirstSeen().AsTime()) || a.GetPlatform() != b.GetPlatform() || len(a.GetTags()) != len(b.GetTags()) {
			t.Errorf("%s was %v and is %v", name, b, a)
		}
	}
	if tags := after["web-1"].GetTags(); tags["env"] != "prod" || tags["role"] != "web" {
		t.Errorf("tags %v", tags)
	}
	// What hosts that are silent now had sent last is there at once.
	classic := s.client().Monitoring()
	f := func(host, metricType string, code connect.Code, check func(*monitoring.MetricResponse) bool) {
		t.Helper()
		res, err := classic.GetMetric(t.Context(), &monitoring.MetricRequest{Hostname: host, MetricType: metricType})
		if err == nil && (code != 0 || !check(res)) || err != nil && connect.CodeOf(err) != code {
			t.Errorf("%s of %s is %v, error %v", metricType, host, res, err)
		}
	}
	f("web-2", "queue_depth", 0, func(r *monitoring.MetricResponse) bool { return r.GetValue() == 3 && r.GetUnit() == "jobs" })
	f("web-1", "", 0, func(r *monitoring.MetricResponse) bool {
		last := before["web-1"].GetLastSeen().AsTime()
		return r.GetMetricType() == "cpu" && r.GetUnit() == "percent" && time.Unix(r.GetTimestamp(), 0).Sub(last).Abs() < time.Minute
	})
	f("web-1", "queue_depth", connect.CodeNotFound, nil)
	f("web-1", "cpu_core", connect.CodeInvalidArgument, nil)
	// A sender that says less does not undo what was said.
	if status, _, text := post(t, s, "web-2", sample("queue_depth", 4)); status != 200 {
		t.Fatal(text)
	}
	metrics, err := s.client().Query().ListMetrics(t.Context(), &monitoringv1.ListMetricsRequest{Hostname: "web-2"})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range metrics.GetMetrics() {
		if m.GetName() == "queue_depth" {
			found = true
			if m.GetUnit() != "jobs" || m.GetHelp() != "Jobs that wait." || m.GetKind() != monitoringv1.MetricKind_METRIC_KIND_COUNTER || m.GetBuiltIn() {
				t.Errorf("%v", m)
			}
		}
	}
	if !found {
		t.Errorf("queue_depth is not among %v", metrics)
	}

	s.kill()
	if err := os.WriteFile(file, []byte(`{"version":1,"hosts":[{"host`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	eventually(t, "the server refuses to start", func() bool { return !s.running() })
	if code := s.cmd.ProcessState.ExitCode(); code != 1 || !s.log.says(file, "damaged", "move it away") {
		t.Errorf("with a damaged file it ended with code %d", code)
	}
}

// hosts lists the hosts by name.
func hosts(tb testing.TB, s *serverProcess) map[string]*monitoringv1.Host {
	tb.Helper()
	res, err := s.client().Query().ListHosts(context.Background(), &monitoringv1.ListHostsRequest{})
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]*monitoringv1.Host{}
	for _, h := range res.GetHosts() {
		out[h.GetHostname()] = h
	}
	return out
}
