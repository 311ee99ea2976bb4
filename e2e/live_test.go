package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// freshness watches how old the live values of a host are. Series 0 of a
// synthetic host tells when it was measured.
type freshness struct {
	mu     sync.Mutex
	oldest time.Duration
	reads  int
	stop   func()
}

// watchFreshness asks for the live value again and again until stop.
func watchFreshness(tb testing.TB, url, host string) *freshness {
	tb.Helper()
	f := &freshness{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	monitor := newClient(tb, url).Monitoring()
	done.Go(func() {
		for ctx.Err() == nil {
			res, err := monitor.GetMetric(ctx, &monitoring.MetricRequest{Hostname: host, MetricType: clockType})
			if err == nil {
				f.saw(time.Since(time.UnixMilli(int64(res.GetValue()))))
			} else if ctx.Err() == nil {
				tb.Errorf("reading the live value of %s: %v", host, err)
				return
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	f.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	tb.Cleanup(f.stop)
	return f
}

func (f *freshness) saw(age time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.oldest = max(f.oldest, age)
}

// liveLimit is how old a live value may get: three seconds, and one for a machine
// that runs other tests beside this one.
const liveLimit = 4 * time.Second

// check stops watching and wants no value to have been older.
func (f *freshness) check(tb testing.TB) {
	tb.Helper()
	f.stop()
	if f.oldest > liveLimit || f.reads < 10 {
		tb.Errorf("in %d reads a live value was %s old; want at most %s", f.reads, f.oldest, liveLimit)
	}
	tb.Logf("live values were at most %s old in %d reads", f.oldest.Round(time.Millisecond), f.reads)
}

// age returns how old the live value is; ok false if there is none.
func age(s *serverProcess, host string) (time.Duration, bool) {
	c := newClient(s.tb, s.url)
	defer c.Close()
	res, err := c.Monitoring().GetMetric(context.Background(), &monitoring.MetricRequest{Hostname: host, MetricType: clockType})
	return time.Since(time.UnixMilli(int64(res.GetValue()))), err == nil
}

// eventuallyLive waits for a young live value.
func eventuallyLive(s *serverProcess, host string) {
	s.tb.Helper()
	eventually(s.tb, host+" is live", func() bool {
		old, ok := age(s, host)
		return ok && old < 2*time.Second
	})
}

// TestHostComesIn starts the server and an agent, as an operator does.
func TestHostComesIn(t *testing.T) {
	s := startServer(t)
	a := newProcess(t, "the agent", binary, nil, "agent", "--server", s.url, "--hostname", "web-1",
		"--spool-dir", t.TempDir(), "--tag", "env=prod")
	a.start()
	eventually(t, "the agent is up", func() bool { return a.log.says(`"msg":"agent"`) })
	began := time.Now()
	c := s.client()
	eventually(t, "its samples are live", func() bool {
		res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{Hostname: "web-1", MetricType: "memory"})
		return err == nil && res.GetValue() > 0 && res.GetUnit() == "GB"
	})
	// A stream of the agent's lasts ten seconds: what it has measured is live before its end.
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("live %s after the agent's start; want a second or two", took)
	}
	res, err := c.Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]monitoringv1.HostStatus{}
	for _, h := range res.GetHosts() {
		status[h.GetHostname()] = h.GetStatus()
		if h.GetHostname() == "web-1" && (h.GetTags()["env"] != "prod" || h.GetAgentVersion() == "" || h.GetInterval().AsDuration() != time.Second) {
			t.Errorf("%v", h)
		}
	}
	if len(status) != 2 || status["web-1"] != monitoringv1.HostStatus_HOST_STATUS_UP || status["hub"] != monitoringv1.HostStatus_HOST_STATUS_UP {
		t.Errorf("hosts %v; want hub and web-1, both up", status)
	}
}

// TestTwoAgentsUnderOneName is said to both operators and to the server's.
func TestTwoAgentsUnderOneName(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var agents []*localAgent
	for _, id := range []string{"one", "two"} {
		agents = append(agents, startAgent(t, agentConfig{
			Server: s.url, Spool: t.TempDir(), Host: "web-1", Series: 2, Interval: 100 * time.Millisecond, ID: id,
		}, nil))
	}
	for _, a := range agents {
		eventually(t, "the agent says so", func() bool { return a.log.says("two agents report", "web-1", "--hostname") })
	}
	eventually(t, "the server's log says so", func() bool { return s.log.says("two agents report", "web-1", "one", "two") })
	res, err := s.client().Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: "web"})
	if err != nil || len(res.GetHosts()) != 1 || !res.GetHosts()[0].GetNameConflict() {
		t.Errorf("hosts %v, %v; want a conflict", res, err)
	}
}
