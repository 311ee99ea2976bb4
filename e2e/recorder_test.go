package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/agent/spool"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// round is what was measured at one time. The values follow from the seed.
type round struct {
	at, seed int64
	// kept says that the agent has taken it; one that it was just taking when it
	// was killed may be there or not.
	kept bool
}

// value is what series i has in the round with that seed. Series 0 tells the seed
// itself: the time, mostly, so that a live value tells its age.
func value(i int, seed int64) float64 {
	if i == 0 {
		return float64(seed)
	}
	return float64((seed*31+int64(i)*7919)%100_003) / 4
}

// clockType is the metric type of series 0.
const clockType = "e2e_clock"

func syntheticSeries(host string, n int) []*metric.Series {
	all := []*metric.Series{metric.NewSeries(clockType, host, nil)}
	for i := 1; i < n; i++ {
		all = append(all, metric.NewSeries("e2e_load", host, metric.NewLabels("n", strconv.Itoa(i))))
	}
	return all
}

// collector is a host of known values, which notes each round before the agent
// gets it, and after.
type collector struct {
	series []*metric.Series
	// next returns the time and the seed of the round to take now; false at the
	// end. Default: the clock, for ever.
	next func(n int) (at, seed int64, ok bool)
	note func(round)
}

func (c *collector) Run(ctx context.Context, interval time.Duration, sink func([]metric.Sample)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	samples := make([]metric.Sample, len(c.series))
	last := int64(0)
	for n := 0; ; n++ {
		at := max(time.Now().UnixMilli(), last+1) // a busy machine takes two rounds at once
		last = at
		seed := at
		if c.next != nil {
			var ok bool
			if at, seed, ok = c.next(n); !ok {
				<-ctx.Done()
				return nil
			}
		}
		for i, s := range c.series {
			samples[i] = metric.Sample{Series: s, Time: at, Value: value(i, seed)}
		}
		c.note(round{at, seed, false})
		sink(samples)
		c.note(round{at, seed, true})
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// agentConfig describes an agent whose measurements are known.
type agentConfig struct {
	Server, Spool, Host string // Server: one, or several with commas between
	Series              int
	Interval            time.Duration
	// Truth is the file to which a child appends its rounds.
	Truth string
	ID    string
}

// newAgent makes the agent as `vitals agent` does, but for its collector. The
// caller closes what it returns.
func newAgent(c agentConfig, measure agent.Collector, logger *slog.Logger) (*agent.Agent, *spool.Spool, *client.Client, error) {
	cl, err := client.NewBalanced(strings.Split(c.Server, ","), client.WithGzip())
	if err != nil {
		return nil, nil, nil, err
	}
	queue, err := spool.Open(spool.Options{Dir: c.Spool, Logger: logger})
	if err != nil {
		return nil, nil, nil, err
	}
	return agent.New(agent.Options{
		Reporter:   &monitoringv1.Reporter{Hostname: c.Host, HostId: c.ID, Os: "e2e", Interval: durationpb.New(c.Interval)},
		Collector:  measure,
		Interval:   c.Interval,
		Spool:      queue,
		Server:     cl.Ingest(),
		Disconnect: cl.Disconnect,
		Logger:     logger,
	}), queue, cl, nil
}

// childEnv has the agentConfig of a child process in JSON.
const childEnv = "VITALS_E2E_AGENT"

// recordUntilKilled is the child process: an agent that notes in a file what it
// records.
func recordUntilKilled(config string) error {
	var c agentConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	file, err := os.OpenFile(c.Truth, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	measure := &collector{series: syntheticSeries(c.Host, c.Series), note: func(r round) {
		if _, err := fmt.Fprintf(file, "%d %d %t\n", r.at, r.seed, r.kept); err != nil {
			panic(err)
		}
	}}
	a, queue, _, err := newAgent(c, measure, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	go func() { // until the process ends
		for range time.Tick(50 * time.Millisecond) {
			tellOldest(c.Truth+".oldest", queue)
		}
	}()
	return errors.Join(a.Run(ctx), queue.Close(), file.Close())
}

// tellOldest writes the time of the oldest record that waits; 0 for none.
func tellOldest(path string, queue *spool.Spool) {
	oldest := int64(0)
	if at := queue.Stats().Oldest; !at.IsZero() {
		oldest = at.UnixMilli()
	}
	if os.WriteFile(path+".new", []byte(strconv.FormatInt(oldest, 10)), 0o600) == nil {
		_ = os.Rename(path+".new", path) // the test sees that it gets old
	}
}

// recordingAgent is a process whose records are known.
type recordingAgent struct {
	*process
	config agentConfig
}

func newRecordingAgent(tb testing.TB, server, host string, interval time.Duration) *recordingAgent {
	tb.Helper()
	dir := tb.TempDir()
	c := agentConfig{
		Server: server, Spool: filepath.Join(dir, "spool"), Host: host, Series: 20,
		Interval: interval, Truth: filepath.Join(dir, "truth"), ID: host,
	}
	return newRecordingAgentWith(tb, c)
}

func newRecordingAgentWith(tb testing.TB, c agentConfig) *recordingAgent {
	tb.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	return &recordingAgent{newProcess(tb, "the agent of "+c.Host, os.Args[0], []string{childEnv + "=" + string(config)}, "-test.run=^$"), c}
}

// start starts it.
func (a *recordingAgent) start() {
	a.tb.Helper()
	_ = os.Remove(a.config.Truth + ".oldest") // of the life before
	a.process.start()
}

// truth returns what it has recorded in all its lives.
func (a *recordingAgent) truth() truth {
	a.tb.Helper()
	t := truth{host: a.config.Host, series: syntheticSeries(a.config.Host, a.config.Series)}
	file, err := os.Open(a.config.Truth)
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	if err != nil {
		a.tb.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r round
		if n, _ := fmt.Sscan(lines.Text(), &r.at, &r.seed, &r.kept); n < 3 {
			continue // cut short by the kill, before the agent had the round
		}
		t.add(r)
	}
	return t
}

// caughtUp reports whether the server has acknowledged what an outage left, so
// that only records of the live stream wait, which runs for ten seconds.
func (a *recordingAgent) caughtUp() bool {
	text, err := os.ReadFile(a.config.Truth + ".oldest")
	if err != nil {
		return false
	}
	oldest, err := strconv.ParseInt(string(text), 10, 64)
	return err == nil && (oldest == 0 || time.Since(time.UnixMilli(oldest)) < 12*time.Second)
}

// settle lets it send all that it has, and stops it.
func (a *recordingAgent) settle() {
	a.tb.Helper()
	eventually(a.tb, "the agent has sent everything", func() bool {
		if !a.running() {
			a.start()
		}
		eventually(a.tb, "the agent has caught up", a.caughtUp)
		if code, _ := a.stop(); code != 0 {
			a.tb.Errorf("the agent ended with code %d", code)
		}
		return a.waiting() == 0
	})
}

// waiting returns how many records its spool has left. It must not run.
func (a *recordingAgent) waiting() uint64 {
	a.tb.Helper()
	q, err := spool.Open(spool.Options{Dir: a.config.Spool})
	if err != nil {
		a.tb.Fatal(err)
	}
	defer q.Close()
	return q.Stats().Records
}

// localAgent is an agent in this process.
type localAgent struct {
	tb    testing.TB
	log   *log
	spool *spool.Spool
	stop  func() // idempotent

	mu     sync.Mutex
	rounds truth
	taken  int // rounds that the agent has
}

// startAgent runs an agent in this process until the test ends. next is the
// collector's.
func startAgent(tb testing.TB, c agentConfig, next func(n int) (at, seed int64, ok bool)) *localAgent {
	tb.Helper()
	a := &localAgent{tb: tb, log: &log{}}
	a.rounds = truth{host: c.Host, series: syntheticSeries(c.Host, c.Series)}
	measure := &collector{series: a.rounds.series, next: next, note: func(r round) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rounds.add(r)
		if r.kept {
			a.taken++
		}
	}}
	run, queue, cl, err := newAgent(c, measure, slog.New(slog.NewTextHandler(a.log, nil)))
	if err != nil {
		tb.Fatal(err)
	}
	a.spool = queue
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		err := errors.Join(<-done, queue.Close())
		cl.Close()
		if err != nil {
			tb.Errorf("the agent of %s ended with: %v", c.Host, err)
		}
	})
	tb.Cleanup(func() {
		a.stop()
		if tb.Failed() {
			tb.Logf("the last words of the agent of %s:\n%s", c.Host, a.log.tail())
		}
	})
	return a
}

// truth returns what it has recorded.
func (a *localAgent) truth() truth {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rounds.clone()
}

// drained reports whether the server has acknowledged all but what comes in
// just now.
func (a *localAgent) drained(atMost uint64) bool { return a.spool.Stats().Records <= atMost }

// count returns how many rounds the agent has taken.
func (a *localAgent) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken
}
