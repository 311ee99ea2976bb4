package e2e_test

import (
	"testing"
	"time"
)

// TestServerStopsWithAgents asks the server to stop while agents stream to it by
// HTTP/1.1, on which a server that has answered early still reads what comes.
func TestServerStopsWithAgents(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := agentConfig{Server: s.url, Spool: t.TempDir(), Host: "web-1", Series: 20, Interval: 100 * time.Millisecond, ID: "1"}
	a := startAgent(t, c, nil)
	eventually(t, "the agent reports", func() bool { return a.log.says("msg=reporting") })
	pause(time.Second, 2*time.Second) // into the next stream, which lasts ten
	if code, took := s.stop(); code != 0 || took > 5*time.Second {
		t.Errorf("it ended with code %d after %s; want 0 within 5s", code, took)
	}
	eventually(t, "the agent hears of it", func() bool { return a.log.says("cannot report", "the server is stopping") })
	back := time.Now()
	s.up()
	eventually(t, "the agent catches up", func() bool { return a.drained(0) || a.spool.Stats().Oldest.After(back) })
	a.stop()
	if s.kill(); !s.log.says(`"stopped"`) {
		t.Error("the log does not say that it stopped")
	}
	checkStored(t, openHistory(t, s.dir), a.truth())
}
