package live_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sample(host, metricType string, at int64, value float64, labels ...string) metric.Sample {
	return metric.Sample{Series: metric.NewSeries(metricType, host, metric.NewLabels(labels...)), Time: at, Value: value}
}

// publish makes the samples live.
func publish(hub *live.Hub, samples []metric.Sample) {
	points := make([]live.Point, len(samples))
	for i, s := range samples {
		points[i] = live.Point{Cell: hub.Cell(s.Series), Time: s.Time, Value: s.Value}
	}
	hub.Publish(points)
}

func values(samples []metric.Sample) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, s.Value)
	}
	return out
}

func TestLatest(t *testing.T) {
	hub := live.NewHub()
	_, err := hub.Latest("a", "cpu")
	if _, ok := errors.AsType[*metric.UnknownHostError](err); !ok {
		t.Errorf("an empty hub: %v", err)
	}
	publish(hub, []metric.Sample{
		sample("a", "cpu", 1000, 1), sample("b", "cpu", 1000, 9), sample("a", "memory", 1000, 3),
		sample("a", "core", 1000, 4, "core", "0"), sample("a", "core", 1000, 5, "core", "1"),
		sample("a", "mixed", 1000, 6, "x", "1"), sample("a", "mixed", 1000, 7), sample("a", "one", 1000, 8, "only", "1"),
	})
	f := func(host, metricType string, want float64) {
		t.Helper()
		if got, err := hub.Latest(host, metricType); err != nil || got.Value != want {
			t.Errorf("Latest(%q, %q) = %v, %v; want %v", host, metricType, got, err, want)
		}
	}
	f("a", "cpu", 1)
	f("b", "cpu", 9)
	f("a", "mixed", 7) // the one without labels
	f("a", "one", 8)   // the only one

	publish(hub, []metric.Sample{sample("a", "cpu", 2000, 2), sample("a", "memory", 999, 99), sample("b", "cpu", 1000, 99)})
	f("a", "cpu", 2)
	f("a", "memory", 3) // what is older or as old does not replace
	f("b", "cpu", 9)

	empty := hub.Cell(metric.NewSeries("swap", "c", nil)) // which no sample has come for
	if _, err := hub.Latest("c", "swap"); err == nil || len(hub.Hosts()) != 2 {
		t.Errorf("a host without a sample: %v, %v", err, hub.Hosts())
	}
	if _, ok := hub.LastSeen("c"); ok || len(hub.Snapshot(metric.Selector{Hosts: metric.Match{Names: []string{"c"}}})) > 0 {
		t.Error("a series without a sample is shown")
	}
	if again := hub.Cell(metric.NewSeries("swap", "c", nil)); again != empty {
		t.Error("a series has two cells")
	}

	_, err = hub.Latest("a", "core")
	if ambiguous, ok := errors.AsType[*metric.AmbiguousTypeError](err); !ok || len(ambiguous.Series) != 2 {
		t.Errorf("two series: %v", err)
	}
	_, err = hub.Latest("a", "nothing")
	if unknown, ok := errors.AsType[*metric.UnknownTypeError](err); !ok || !slices.IsSorted(unknown.Known) || len(unknown.Known) != 5 {
		t.Errorf("an unknown type: %v", err)
	}
	if hosts := hub.Hosts(); !slices.Equal(hosts, []string{"a", "b"}) {
		t.Errorf("hosts %q", hosts)
	}
	if at, ok := hub.LastSeen("a"); at != 2000 || !ok {
		t.Errorf("LastSeen(a) = %d, %v", at, ok)
	}
	if _, ok := hub.LastSeen("c"); ok {
		t.Error("LastSeen knows a host that never reported")
	}
}

func TestSnapshot(t *testing.T) {
	hub := live.NewHub()
	publish(hub, []metric.Sample{sample("b", "cpu", 1, 1), sample("a", "memory", 1, 2), sample("a", "cpu", 1, 3)})
	if got := values(hub.Snapshot()); !slices.Equal(got, []float64{3, 2, 1}) {
		t.Errorf("all: %v", got)
	}
	if got := values(hub.Snapshot(metric.Exactly("a", "cpu"))); !slices.Equal(got, []float64{3}) {
		t.Errorf("one: %v", got)
	}
	if got := hub.Snapshot(metric.Exactly("c", "cpu")); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

// soon bounds what ought to come at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSubscription(t *testing.T) {
	hub := live.NewHub()
	publish(hub, []metric.Sample{sample("a", "cpu", 1, 0)})
	sub := hub.Subscribe(metric.Selector{Types: metric.Match{Names: []string{"cpu"}}})
	defer sub.Close()
	publish(hub, []metric.Sample{sample("a", "cpu", 2, 1), sample("a", "memory", 2, 99), sample("a", "cpu", 1, 99)})
	publish(hub, []metric.Sample{sample("new", "cpu", 2, 2)}) // a host that came later
	got, dropped, err := sub.Next(soon(t), nil)
	if !slices.Equal(values(got), []float64{1, 2}) || dropped != 0 || err != nil {
		t.Errorf("%v, %d, %v", values(got), dropped, err)
	}

	publish(hub, []metric.Sample{sample("a", "memory", 3, 99)}) // wakes it for nothing
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if got, _, err := sub.Next(ctx, nil); !errors.Is(err, reason) || len(got) != 0 {
		t.Errorf("%v, %v; want the context's cause", got, err)
	}

	buf := make([]metric.Sample, 0, 4)
	publish(hub, []metric.Sample{sample("a", "cpu", 4, 4)})
	if got, _, err := sub.Next(soon(t), buf); err != nil || len(got) != 1 || &got[0] != &buf[:1][0] {
		t.Errorf("%v, %v; want it in the buffer", got, err)
	}

	sub.Close()
	publish(hub, []metric.Sample{sample("a", "cpu", 5, 5), sample("newer", "cpu", 5, 5)})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if got, _, err := sub.Next(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after Close: %v, %v", got, err)
	}
	sub.Close() // twice is once
}

// A publisher does not wait for a reader that does not read; the reader gets the
// newest and is told what it lost, to the sample.
func TestSlowReader(t *testing.T) {
	hub := live.NewHub()
	sub := hub.Subscribe()
	defer sub.Close()
	const rounds, size = 300, 1000
	series := make([]*metric.Series, size)
	for i := range series {
		series[i] = metric.NewSeries(fmt.Sprintf("m%d", i), "a", nil)
	}
	for round := range rounds {
		batch := make([]metric.Sample, size)
		for i := range batch {
			batch[i] = metric.Sample{Series: series[i], Time: int64(round + 1), Value: float64(round)}
		}
		publish(hub, batch)
	}
	got, dropped, err := sub.Next(soon(t), nil)
	if err != nil || len(got)+dropped != rounds*size || dropped == 0 || len(got) > 1<<16 {
		t.Fatalf("%d received and %d lost of %d, %v", len(got), dropped, rounds*size, err)
	}
	if last := got[len(got)-1].Value; last != rounds-1 {
		t.Errorf("the newest is of round %v, want %d", last, rounds-1)
	}
	publish(hub, []metric.Sample{{Series: series[0], Time: rounds + 1, Value: 7}})
	if got, dropped, err := sub.Next(soon(t), nil); err != nil || dropped != 0 || len(got) != 1 {
		t.Errorf("after it: %d, %d lost, %v: what was lost is told once", len(got), dropped, err)
	}
}

// Publishers, readers, subscribers and askers all at once; each subscription to
// one host sees its samples in order and none twice.
func TestConcurrently(t *testing.T) {
	hub := live.NewHub()
	ctx, stop := context.WithCancel(t.Context())
	var readers, publishers sync.WaitGroup
	for host := range 4 {
		name := fmt.Sprint("host", host)
		for range 3 {
			sub := hub.Subscribe(metric.Exactly(name, "cpu"))
			readers.Go(func() {
				defer sub.Close()
				last := int64(0)
				for last < 500 {
					got, dropped, err := sub.Next(ctx, nil)
					if err != nil || dropped > 0 {
						t.Errorf("%s: at %d: %d lost, %v", name, last, dropped, err)
						return
					}
					for _, s := range got {
						if s.Time != last+1 || s.Series.Host != name {
							t.Errorf("%s: %v at %d after %d", name, s.Series, s.Time, last)
						}
						last = s.Time
					}
				}
			})
		}
		publishers.Go(func() {
			for at := int64(1); at <= 500; at++ {
				publish(hub, []metric.Sample{sample(name, "cpu", at, 1), sample(name, "memory", at, 1)})
				hub.Subscribe().Close()
				_, _ = hub.Latest(name, "cpu")
				hub.Snapshot()
			}
		})
	}
	publishers.Wait()
	time.AfterFunc(20*time.Second, stop)
	readers.Wait()
	stop()
}

func TestLossIsCounted(t *testing.T) {
	hub := live.NewHub()
	sub := hub.Subscribe()
	defer sub.Close()
	round := make([]metric.Sample, 1<<14)
	for i := range round {
		round[i] = metric.Sample{Series: metric.NewSeries("cpu", "web-1", metric.NewLabels("n", strconv.Itoa(i)))}
	}
	publish := func(rounds int) {
		for range rounds {
			for i := range round {
				round[i].Time++
			}
			publish(hub, round)
		}
	}
	var samples []metric.Sample
	f := func(rounds, wantOverflows int) {
		t.Helper()
		before := hub.Dropped()
		publish(rounds)
		var dropped int
		var err error
		if samples, dropped, err = sub.Next(t.Context(), samples[:0]); err != nil {
			t.Fatal(err)
		}
		if got := hub.Dropped() - before; got != int64(dropped) || hub.Overflows() != int64(wantOverflows) {
			t.Errorf("%d rounds: %d samples are counted as lost where the reader was told %d; %d overflows, want %d", rounds, got, dropped, hub.Overflows(), wantOverflows)
		}
	}
	f(2, 0)
	f(6, 1) // more than waits
	f(2, 1)
	f(9, 2)
}

// TestForget: what was forgotten is in no snapshot, and there again once a sample
// comes, by whatever cell.
func TestForget(t *testing.T) {
	hub := live.NewHub()
	sub := hub.Subscribe()
	defer sub.Close()
	a, b := sample("a", "cpu", 1, 1), sample("a", "memory", 1, 2)
	old := hub.Cell(a.Series)
	publish(hub, []metric.Sample{a, b})
	got, _, err := sub.Next(soon(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, most := sub.Number(got); most != 2 {
		t.Errorf("%d numbers", most)
	}
	hub.Forget([]*live.Cell{old})
	if got := values(hub.Snapshot()); !slices.Equal(got, []float64{2}) {
		t.Errorf("after Forget: %v", got)
	}
	if _, err := hub.Latest("a", "cpu"); err == nil {
		t.Error("Latest knows what was forgotten")
	}
	if s := sub.Series(0, 2); len(s) != 2 || (s[0] == nil) == (s[1] == nil) {
		t.Errorf("the group has %v", s)
	}
	// One who kept the cell, and one who has asked anew.
	hub.Publish([]live.Point{{Cell: old, Time: 2, Value: 3}})
	publish(hub, []metric.Sample{sample("a", "cpu", 3, 4)})
	hub.Publish([]live.Point{{Cell: old, Time: 4, Value: 5}})
	if got := values(hub.Snapshot()); !slices.Equal(got, []float64{5, 2}) {
		t.Errorf("after it came again: %v", got)
	}
	hub.Forget([]*live.Cell{old})
	publish(hub, []metric.Sample{sample("a", "cpu", 5, 6)})
	hub.Publish([]live.Point{{Cell: old, Time: 6, Value: 7}})
	if got := values(hub.Snapshot()); !slices.Equal(got, []float64{7, 2}) {
		t.Errorf("with another cell: %v", got)
	}
	if got, err := hub.Latest("a", "cpu"); err != nil || got.Value != 7 {
		t.Errorf("Latest: %v, %v", got, err)
	}
	got, _, err = sub.Next(soon(t), nil)
	if err != nil || len(got) != 5 {
		t.Fatalf("%v, %v", got, err)
	}
	numbers, most := sub.Number(got)
	if slices.Max(numbers) != most-1 || sub.Series(0, most)[most-1] == nil {
		t.Errorf("numbers %v of %d", numbers, most)
	}
}

// TestAheadGivesWay: a sample of a time that has not come, from when the clock was
// wrong, does not keep out those of now.
func TestAheadGivesWay(t *testing.T) {
	hub := live.NewHub()
	now := time.Now().UnixMilli()
	publish(hub, []metric.Sample{sample("a", "cpu", now+48*3_600_000, 1), sample("a", "memory", now+30_000, 1)})
	publish(hub, []metric.Sample{sample("a", "cpu", now, 2), sample("a", "memory", now, 2)})
	if got := values(hub.Snapshot()); !slices.Equal(got, []float64{2, 1}) {
		t.Errorf("live: %v", got)
	}
	if seen, _ := hub.LastSeen("a"); seen != now {
		t.Errorf("seen %d ms after now", seen-now)
	}
}

// TestForgetHost: a host whose series are all forgotten is not known until another
// sample comes, by whatever cell.
func TestForgetHost(t *testing.T) {
	hub := live.NewHub()
	sub := hub.Subscribe(metric.Exactly("a", "cpu"))
	defer sub.Close()
	a := sample("a", "cpu", 1, 1)
	old := hub.Cell(a.Series)
	publish(hub, []metric.Sample{a})
	hub.Forget([]*live.Cell{old})
	if hosts := hub.Hosts(); len(hosts) > 0 {
		t.Errorf("known: %v", hosts)
	}
	hub.Publish([]live.Point{{Cell: old, Time: 1, Value: 2}})
	hub.Publish([]live.Point{{Cell: old, Time: 2, Value: 3}})
	if got, err := hub.Latest("a", "cpu"); err != nil || got.Value != 3 {
		t.Errorf("%v, %v", got, err)
	}
	var got []float64
	for len(got) < 3 {
		samples, _, err := sub.Next(soon(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, values(samples)...)
	}
	if !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("the subscription got %v", got)
	}
}
