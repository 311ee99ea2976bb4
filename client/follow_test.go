package client_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// recorder puts samples into servers and knows which.
type recorder struct {
	t    *testing.T
	mu   sync.Mutex
	sent map[string]float64 // by series and time
}

func sampleKey(s *metric.Series, at int64) string { return fmt.Sprint(s.Key(), "@", at) }

// put gives each server a sample of each of two hosts.
func (r *recorder) put(at time.Time, value float64, to ...*servertest.Server) {
	r.t.Helper()
	for _, host := range []string{"web-1", "web-2"} {
		labels := map[string]string{"queue": `mail "in"`}
		r.mu.Lock()
		r.sent[sampleKey(metric.NewSeries("jobs", host, metric.NewLabels("queue", labels["queue"])), at.UnixMilli())] = value
		r.mu.Unlock()
		for _, srv := range to {
			res, err := srv.Client(servertest.Connection{}).Ingest().ReportBatch(r.t.Context(), &monitoringv1.ReportBatchRequest{Hostname: host, Samples: []*monitoringv1.CustomSample{
				{MetricType: "jobs", Value: value, Labels: labels, Time: timestamppb.New(at)},
				{MetricType: "other", Value: value, Time: timestamppb.New(at)},
			}})
			if err != nil || res.GetReceipt().GetRejected() > 0 {
				r.t.Errorf("%v, %v", res, err)
			}
		}
	}
}

func (r *recorder) count() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.sent) }

// followed is what came of following.
type followed struct {
	mu                        sync.Mutex
	got                       map[string]int
	filled, breaks, different int
	err                       error
}

func (f *followed) state() (got, filled, breaks int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.got), f.filled, f.breaks
}

// follow follows until the test ends or stop is called.
func follow(t *testing.T, c *client.Client, r *recorder, req *monitoringv1.SubscribeRequest) (f *followed, stop func()) {
	t.Helper()
	f = &followed{got: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for batch, err := range c.Follow(ctx, req) {
			f.mu.Lock()
			f.err = err
			if batch.Interrupted != nil {
				f.breaks++
			}
			for _, s := range batch.Samples {
				key := sampleKey(s.Series, s.Time)
				f.got[key]++
				r.mu.Lock()
				if v, ok := r.sent[key]; !ok || v != s.Value {
					f.different++
				}
				r.mu.Unlock()
				if batch.Filled {
					f.filled++
				}
			}
			f.mu.Unlock()
		}
	})
	return f, func() { cancel(); running.Wait() }
}

// TestFollow breaks a stream again and again and compares what came with what there
// was: each sample once.
func TestFollow(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 2)
	first, second := gates[0].Server, gates[1].Server
	c := dialMany(t, targets)
	r := &recorder{t: t, sent: map[string]float64{}}
	f, stop := follow(t, c, r, &monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{
		{MetricTypes: []string{"jobs"}, HostnamePrefixes: []string{"web-"}},
		{MetricTypePrefixes: []string{"job"}, Hostnames: []string{"web-2"}},
	}})
	defer stop()
	all := func(what string) {
		t.Helper()
		servertest.Eventually(t, what, func() bool { got, _, _ := f.state(); return got == r.count() })
	}
	value := 0.0
	some := func(n int, to ...*servertest.Server) {
		for range n {
			value++
			r.put(time.Now(), value, to...)
			time.Sleep(2 * time.Millisecond) // a sample has a millisecond of its own
		}
	}
	some(1, first, second)
	all("the snapshot")
	for _, gate := range []*servertest.Gate{gates[0], gates[1], gates[0]} {
		some(5, first, second)
		gate.Kill()
		some(20, first, second) // while nobody listens, and when the other does
		all("what came while the stream was away")
		gate.Revive()
		well(t, c, true, true)
		some(5, first, second)
		all("what came when it was back")
	}
	_, filled, breaks := f.state()
	if filled == 0 || breaks == 0 {
		t.Errorf("%d filled, %d breaks: nothing was tried", filled, breaks)
	}

	// An agent that moves to the other server brings what it has kept later, when
	// newer samples of the same series are there already.
	gates[0].Kill()
	before := time.Now()
	time.Sleep(10 * time.Millisecond)
	some(5, second)
	all("the other server's")
	late := time.Now()
	for n := range 5 {
		r.put(before.Add(time.Duration(n)*time.Millisecond), 1000+float64(n), second)
	}
	all("what was late")
	if time.Since(late) > servertest.Patience {
		t.Error("too late")
	}
	stop()
	for key, n := range f.got {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
	if f.different > 0 || f.err != nil {
		t.Errorf("%d samples that were never sent, %v", f.different, f.err)
	}
}

// With the policy first, a stream goes back to the first server when that is back.
func TestFollowReturns(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 2)
	c := dialMany(t, targets)
	r := &recorder{t: t, sent: map[string]float64{}}
	r.put(time.Now(), 1, gates[0].Server, gates[1].Server)
	f, stop := follow(t, c, r, &monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{{MetricTypes: []string{"jobs"}}}})
	defer stop()
	inFlight := func(want ...int) {
		t.Helper()
		servertest.Eventually(t, fmt.Sprintf("streams: %v", want), func() bool {
			var got []int
			for _, s := range c.Servers() {
				got = append(got, s.InFlight)
			}
			return fmt.Sprint(got) == fmt.Sprint(want)
		})
	}
	inFlight(1, 0)
	gates[0].Kill()
	inFlight(0, 1)
	gates[0].Revive()
	inFlight(1, 0)
	gates[0].Hang(true)
	inFlight(0, 1)
	stop()
	if f.err != nil {
		t.Error(f.err)
	}
}

// A reader that is too slow for the stream gets from history what was dropped.
func TestFollowSlowly(t *testing.T) {
	t.Parallel()
	srv := servertest.NewServer(t, server.Options{})
	c := dialMany(t, []string{srv.URL})
	const samples = 40_000
	start := time.Now().Add(-time.Minute)
	send := func(from, to int) {
		batch := &monitoringv1.ReportBatchRequest{Hostname: "web-1"}
		for n := from; n < to; n++ {
			batch.Samples = append(batch.Samples, &monitoringv1.CustomSample{MetricType: "jobs", Value: float64(n), Time: timestamppb.New(start.Add(time.Duration(n) * time.Millisecond))})
		}
		if _, err := c.Ingest().ReportBatch(t.Context(), batch); err != nil {
			t.Error(err)
		}
	}
	send(0, 1)
	seen, filled, twice := map[int64]bool{}, 0, 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*servertest.Patience)
	defer cancel()
	for batch, err := range c.Follow(ctx, &monitoringv1.SubscribeRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 {
			for n := 1; n < samples; n += 2000 { // while the reader does something else
				send(n, min(n+2000, samples))
			}
		}
		for _, s := range batch.Samples {
			if s.Series.Type != "jobs" {
				continue
			}
			if seen[s.Time] {
				twice++
			}
			seen[s.Time] = true
			if batch.Filled {
				filled++
			}
		}
		if len(seen) == samples {
			break
		}
	}
	if len(seen) != samples || twice > 0 {
		t.Errorf("%d of %d samples, %d from history, %d twice", len(seen), samples, filled, twice)
	}
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{})
	c := dialMany(t, []string{srv.URL})
	var last error
	for _, err := range c.Follow(t.Context(), &monitoringv1.SubscribeRequest{Interval: durationpb.New(-time.Second)}) {
		last = err
	}
	if connect.CodeOf(last) != connect.CodeInvalidArgument || !strings.Contains(last.Error(), "interval") {
		t.Errorf("a request that is wrong: %v", last)
	}
	n := 0
	for batch, err := range c.Follow(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n += len(batch.Samples); n >= 3 {
			break // goleak sees whether that ends it all
		}
	}
	if n < 3 {
		t.Errorf("%d samples, want those that the server was seeded with", n)
	}
}
