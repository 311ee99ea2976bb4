package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// feedTest records what a feed sends.
type feedTest struct {
	*topFeed
	mu    sync.Mutex
	types map[string][]string // metric types that came, by host
	done  []uint64            // choices whose snapshots came whole
	links []topLink
	past  int // points
	lists int
}

func (f *feedTest) take(msg tea.Msg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch msg := msg.(type) {
	case topUpdate:
		for _, r := range msg.readings {
			if t := r.series.Type; !slices.Contains(f.types[r.series.Host], t) {
				f.types[r.series.Host] = append(f.types[r.series.Host], t)
			}
		}
		if msg.complete > 0 {
			f.done = append(f.done, msg.complete)
		}
	case topLink:
		f.links = append(f.links, msg)
	case topPast:
		f.past += len(msg.readings)
	case topHosts:
		if msg.err == nil {
			f.lists += len(msg.list.GetHosts())
		}
	}
}

// is reports whether a condition on what came holds.
func (f *feedTest) is(ok func() bool) func() bool {
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return ok()
	}
}

// startFeed runs a feed until the test ends.
func startFeed(t *testing.T, srv *servertest.Server, protocol string) *feedTest {
	t.Helper()
	c := caller{servers: serversConfig{servers: []string{srv.URL}}, protocol: protocol, gzip: "auto", timeout: servertest.Patience}
	cl, err := c.dialHTTP2()
	if err != nil {
		t.Fatal(err)
	}
	f := &feedTest{types: map[string][]string{}}
	f.topFeed = &topFeed{live: cl.Live(), query: cl.Query(), send: f.take, changed: make(chan struct{}, 1)}
	f.choose(topChoice{id: 1})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	running.Go(func() { f.list(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); cl.Close() })
	return f
}

// One stream, whose choice changes while it runs, by every protocol.
func TestFeedFollowsItsChoice(t *testing.T) {
	for _, protocol := range []string{"connect", "grpc", "grpcweb"} {
		t.Run(protocol, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("run", func(t *testing.T) { // ends, with its clean-up, before the leaks are looked for
				testFeedFollowsItsChoice(t, protocol)
			})
		})
	}
}

func testFeedFollowsItsChoice(t *testing.T, protocol string) {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.PutSeries(metric.NewSeries("queue_depth", "web-1", nil), 7)
	srv.PutSeries(metric.NewSeries("cpu", "web-1", nil), 50)
	f := startFeed(t, srv, protocol)
	servertest.Eventually(t, "the table's snapshot", f.is(func() bool { return slices.Equal(f.done, []uint64{1}) }))
	servertest.Eventually(t, "the list of hosts", f.is(func() bool { return f.lists == 2 }))
	servertest.Eventually(t, "the past", f.is(func() bool { return f.past > 0 }))
	f.is(func() bool {
		if len(f.types["server01"]) != 3 || !slices.Equal(f.types["web-1"], []string{"cpu"}) {
			t.Errorf("the table got %v", f.types)
		}
		return true
	})()
	f.choose(topChoice{host: "web-1", id: 2})
	servertest.Eventually(t, "the detail's snapshot", f.is(func() bool { return slices.Equal(f.done, []uint64{1, 2}) }))
	if f.is(func() bool { return !slices.Contains(f.types["web-1"], "queue_depth") })() {
		t.Errorf("the detail got %v", f.types)
	}
	// What comes in later comes too, and what is not chosen does not.
	srv.PutSeries(metric.NewSeries("later", "server01", nil), 1)
	srv.PutSeries(metric.NewSeries("later", "web-1", nil), 1)
	servertest.Eventually(t, "a new sample", f.is(func() bool { return slices.Contains(f.types["web-1"], "later") }))
	if f.is(func() bool { return slices.Contains(f.types["server01"], "later") })() {
		t.Error("a host that is not shown is sent")
	}
	if got := len(f.links); got != 2 || f.links[1].state != linkLive {
		t.Errorf("the stream was %+v", f.links)
	}
}

// A server that stops is said, in its own words, and tried again.
func TestFeedSaysThatTheServerStops(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	f := startFeed(t, srv, "connect")
	servertest.Eventually(t, "the snapshot", f.is(func() bool { return len(f.done) > 0 }))
	before := time.Now()
	srv.Stop()
	servertest.Eventually(t, "a second attempt", f.is(func() bool { return len(f.links) > 3 }))
	lost := f.links[2]
	if lost.state != linkLost || !strings.HasPrefix(lost.reason(), "server said: ") || lost.since.Before(before) {
		t.Errorf("the stream was lost as %+v: %s", lost, lost.reason())
	}
	if again := f.links[3]; again.state != linkLost || !again.since.Equal(lost.since) {
		t.Errorf("a second failure is since %s, not since %s", again.since, lost.since)
	}
}
