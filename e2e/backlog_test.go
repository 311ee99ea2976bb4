package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// fillSpool lets an agent that reaches no server measure a past: so many rounds,
// a second apart, until now. It returns what it has recorded.
func fillSpool(tb testing.TB, c agentConfig, rounds int) truth {
	tb.Helper()
	c.Server = "http://" + freeAddress(tb)
	c.Interval = time.Microsecond
	start := time.Now().Add(-time.Duration(rounds) * time.Second).UnixMilli()
	a := startAgent(tb, c, func(n int) (at, seed int64, ok bool) {
		at = start + int64(n)*1000
		return at, at, n < rounds
	})
	eventually(tb, "the past is measured", func() bool { return a.count() == rounds })
	a.stop()
	return a.truth()
}

// TestBacklogOfHours brings back an agent that was cut off for two hours. What it
// measures now must not wait behind what it has missed, even where the server
// takes that slowly.
func TestBacklogOfHours(t *testing.T) {
	s := startServer(t, "--max-sample-rate", "30000")
	c := agentConfig{Server: s.url, Spool: filepath.Join(t.TempDir(), "spool"), Host: "web-1", Series: 50, Interval: 200 * time.Millisecond, ID: "1"}
	past := fillSpool(t, c, 7200)
	a := startAgent(t, c, nil)
	eventuallyLive(s, c.Host)
	live := watchFreshness(t, s.url, c.Host)
	began := time.Now()
	eventually(t, "the past is sent", func() bool { return a.spool.Stats().Oldest.After(began) || a.drained(0) })
	t.Logf("two hours of %d series took %s", c.Series, time.Since(began).Round(100*time.Millisecond))
	live.check(t)
	a.stop()
	s.kill()
	now := a.truth()
	for _, r := range past.rounds {
		now.add(r)
	}
	checkStored(t, openHistory(t, s.dir), now)
}

// TestReturnOfMany cuts off fifty agents, each with a backlog, and lets them come
// back at once. A host that was never away must not notice.
func TestReturnOfMany(t *testing.T) {
	const agents, rounds = 50, 300
	s := startServer(t)
	p := newProxy(t, s.addr)
	p.set(network{down: true})
	var all []*localAgent
	var past []truth
	for i := range agents {
		c := agentConfig{
			Server: p.url, Spool: filepath.Join(t.TempDir(), "spool"), Host: fmt.Sprintf("web-%d", i),
			Series: 20, Interval: time.Second, ID: fmt.Sprint(i),
		}
		past = append(past, fillSpool(t, c, rounds))
		all = append(all, startAgent(t, c, nil))
	}
	steady := newRecordingAgent(t, s.url, "steady", 200*time.Millisecond) // not in the process of the many
	steady.start()
	eventuallyLive(s, "steady")
	live := watchFreshness(t, s.url, "steady")
	began := time.Now()
	p.set(network{})
	for _, a := range all {
		eventually(t, "every agent has sent what it missed", func() bool { return a.spool.Stats().Oldest.After(began) || a.drained(0) })
	}
	t.Logf("%d agents took %s", agents, time.Since(began).Round(100*time.Millisecond))
	live.check(t)
	steady.settle()
	for _, a := range all {
		a.stop()
	}
	s.kill()
	history := openHistory(t, s.dir)
	checkStored(t, history, steady.truth())
	for i, a := range all {
		want := a.truth()
		for _, r := range past[i].rounds {
			want.add(r)
		}
		checkStored(t, history, want)
	}
}

// TestClockSetBack lives through the same seconds three times. Each measurement
// is true and must be kept.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const rounds = 300
	start := time.Now().Add(-time.Hour).UnixMilli()
	c := agentConfig{Server: s.url, Spool: t.TempDir(), Host: "web-1", Series: 3, Interval: 5 * time.Millisecond, ID: "1"}
	a := startAgent(t, c, func(n int) (at, seed int64, ok bool) {
		switch {
		case n < 150: // an hour ago
			at = start + int64(n)*1000
		case n < 200: // set back by 100 s: what was lived through already
			at = start + int64(n-100)*1000
		default: // and by 150 s more
			at = start + int64(n-200)*1000
		}
		return at, int64(n), n < rounds
	})
	eventually(t, "all is measured", func() bool { return a.count() == rounds })
	eventually(t, "the agent reports", func() bool { return a.log.says("msg=reporting") })
	a.stop() // which sends the rest
	s.kill()
	stored := readHost(t, openHistory(t, s.dir), c.Host)
	for i, series := range syntheticSeries(c.Host, c.Series) {
		points := stored[key(series)]
		seeds := map[float64]int{}
		for _, p := range points {
			seeds[p.value]++
		}
		for n := range rounds {
			if seeds[value(i, int64(n))] != 1 {
				t.Fatalf("%v: round %d is there %d times", series, n, seeds[value(i, int64(n))])
			}
		}
		if len(points) != rounds {
			t.Errorf("%v has %d samples; want %d", series, len(points), rounds)
		}
		for j := 1; j < len(points); j++ {
			if points[j].at <= points[j-1].at {
				t.Fatalf("%v: two samples at %d", series, points[j].at)
			}
		}
	}
}
