package e2e_test

import (
	"syscall"
	"testing"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/server/store"
)

// TestAgentMovesOn gives an agent two servers. The first is killed and comes back,
// and then stops answering without a word; what the agent has recorded is there in
// the end, in the one or the other.
func TestAgentMovesOn(t *testing.T) {
	t.Parallel()
	first, second := startServer(t), startServer(t)
	a := newRecordingAgent(t, first.url+","+second.url, "web-1", 100*time.Millisecond)
	a.start()
	sees := func(what string, s *serverProcess, at time.Time) {
		t.Helper()
		eventually(t, what, func() bool { return newestOf(t, s, "web-1").After(at) })
	}
	sees("the first server has its samples", first, time.Time{})

	first.kill()
	sees("the second server has them while the first is away", second, time.Now())
	first.up()
	sees("the first has them again when it is back", first, time.Now())

	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	sees("the second has them while the first hangs", second, time.Now())
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	sees("the first has them when it goes on", first, time.Now())

	a.settle()
	first.kill()
	second.kill()
	checkStoredTogether(t, []*store.Store{openHistory(t, first.dir), openHistory(t, second.dir)}, a.truth())
}

// newestOf is when a server has last heard of a host.
func newestOf(t *testing.T, s *serverProcess, host string) time.Time {
	t.Helper()
	res, err := s.client().Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: host})
	if err != nil || len(res.GetHosts()) == 0 {
		return time.Time{}
	}
	return res.GetHosts()[0].GetLastSeen().AsTime()
}
