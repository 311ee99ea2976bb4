package collect

import (
	"context"
	"log/slog"
	"math"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// quiet is a logger that says nothing.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// waitFor polls until done, for half a minute at most.
func waitFor(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			tb.Fatalf("no %s within half a minute", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// find returns the sample of the series that is written so in PromQL.
func find(samples []metric.Sample, series string) (metric.Sample, bool) {
	i := slices.IndexFunc(samples, func(s metric.Sample) bool { return s.Series.String() == series })
	if i < 0 {
		return metric.Sample{}, false
	}
	return samples[i], true
}

func mustFind(tb testing.TB, samples []metric.Sample, series string) metric.Sample {
	tb.Helper()
	s, ok := find(samples, series)
	if !ok {
		tb.Fatalf("the round has no %s", series)
	}
	return s
}

func TestSamplesKeepToTheCatalog(t *testing.T) {
	before := time.Now().UnixMilli()
	c := New(Options{Host: "web-1", Logger: quiet()})
	c.Prime(t.Context())
	var types []string
	seen := map[string]bool{}
	// Processor time comes in ticks of 10 ms, so the first tries may lack it.
	waitFor(t, "cpu sample", func() bool {
		samples := c.Collect(t.Context())
		clear(seen)
		for _, s := range samples {
			if seen[s.Series.Key()] {
				t.Errorf("%v is twice in a round", s.Series)
			}
			seen[s.Series.Key()] = true
			types = append(types, s.Series.Type)
			checkSample(t, s)
			if s.Time != samples[0].Time || s.Time < before || s.Time > time.Now().UnixMilli() {
				t.Errorf("%v has the time %d, the round began with %d", s.Series, s.Time, samples[0].Time)
			}
		}
		return seen[metric.NewSeries("cpu", "web-1", nil).Key()] && slices.Contains(types, "cpu_core")
	})
	want := []string{"cpu", "memory", "disk", "cpu_core", "memory_total", "memory_available", "swap_total", "uptime", "agent_memory", "processes"}
	if runtime.GOOS == "linux" {
		want = append(want, "cpu_mode", "load1", "load5", "load15", "memory_cached", "swap_used", "agent_cpu",
			"disk_space_total", "disk_space_used", "disk_space_free",
			"network_receive", "network_transmit_errors", "process_memory")
	}
	for _, name := range want {
		if !slices.Contains(types, name) {
			t.Errorf("no sample of %s", name)
		}
	}
}

func checkSample(t *testing.T, s metric.Sample) {
	t.Helper()
	typ, ok := metric.Lookup(s.Series.Type)
	if !ok {
		t.Errorf("%v is not in the catalog", s.Series)
		return
	}
	if s.Series.Host != "web-1" {
		t.Errorf("%v has another host", s.Series)
	}
	var names []string
	for _, l := range s.Series.Labels {
		names = append(names, l.Name)
	}
	want := slices.Sorted(slices.Values(typ.Labels))
	if !slices.Equal(names, want) {
		t.Errorf("%v has labels %v, the catalog says %v", s.Series, names, want)
	}
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		t.Errorf("%v is %v", s.Series, s.Value)
	}
	if typ.Unit != metric.Celsius && s.Value < 0 {
		t.Errorf("%v is %v", s.Series, s.Value)
	}
	if typ.Unit == metric.Percent && s.Value > 100 {
		t.Errorf("%v is %v percent", s.Series, s.Value)
	}
}

// Every type in the catalog has a source that makes its series: a name that is
// only in one of the two is a mistake.
func TestCatalogHasASourceForEachType(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the full set of sources is Linux's")
	}
	host := newFakeHost(t)
	c := host.collector()
	c.Prime(t.Context())
	host.advance()
	at(c, 2*time.Second)
	var have []string
	for _, s := range c.Collect(t.Context()) {
		have = append(have, s.Series.Type)
	}
	for _, typ := range metric.Types() {
		if !slices.Contains(have, typ.Name) {
			t.Errorf("no source gives %s", typ.Name)
		}
	}
}

func TestSeriesArePointersThatLast(t *testing.T) {
	c := New(Options{Logger: quiet()})
	c.Prime(t.Context())
	first := map[string]*metric.Series{}
	for range 5 {
		for _, s := range c.Collect(t.Context()) {
			key := s.Series.Key()
			if first[key] == nil {
				first[key] = s.Series
			}
			if first[key] != s.Series {
				t.Errorf("%v is another pointer in a later round", s.Series)
			}
		}
		time.Sleep(leastSpan)
	}
}

// A wall clock that goes back an hour changes stamps and nothing else.
func TestClockSetBack(t *testing.T) {
	wall := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := New(Options{Host: "h", Logger: quiet(), Now: func() time.Time { return wall }})
	c.Prime(t.Context())
	wall = wall.Add(-time.Hour)
	waitFor(t, "cpu sample", func() bool {
		samples := c.Collect(t.Context())
		for _, s := range samples {
			if s.Time != wall.UnixMilli() {
				t.Fatalf("%v is stamped %d, want %d", s.Series, s.Time, wall.UnixMilli())
			}
			if s.Value < 0 {
				t.Errorf("%v is %v", s.Series, s.Value)
			}
		}
		_, ok := find(samples, `cpu{hostname="h"}`)
		return ok
	})
}

func TestDefaultHostIsTheSystems(t *testing.T) {
	c := New(Options{Logger: quiet()})
	if host := c.Collect(t.Context())[0].Series.Host; host != ownHostname() || host == "" {
		t.Errorf("host is %q, the system's is %q", host, ownHostname())
	}
}

func TestNoRoundOnceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := New(Options{Logger: quiet()}).Collect(ctx); len(got) != 0 {
		t.Errorf("%d samples of a cancelled context", len(got))
	}
}

func TestLabelValue(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := labelValue(name); got != want {
			t.Errorf("labelValue(%q) = %q, want %q", name, got, want)
		}
	}
	f("eth0", "eth0")
	f("", "unnamed")
	f("a\xffb", "a\uFFFDb")
	if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(sensorName("Core Temp", "Package id 0")) {
		t.Errorf("sensor name is %q", sensorName("Core Temp", "Package id 0"))
	}
}
