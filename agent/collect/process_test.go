package collect

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// ranking writes the samples of a type as name:value, in their order, with
// values divided by unit.
func ranking(samples []metric.Sample, metricType string, unit float64) string {
	var out []string
	for _, s := range samples {
		if s.Series.Type == metricType {
			out = append(out, fmt.Sprintf("%s:%.0f", s.Series.Labels.Get("process"), s.Value/unit))
		}
	}
	return strings.Join(out, " ")
}

// at moves a collector's monotonic clock.
func at(c *Collector, elapsed time.Duration) { c.start = time.Now().Add(-elapsed) }

func TestProcessesAreSummedByName(t *testing.T) {
	host := newFakeHost(t)
	host.remove(host.sys.proc + "/10")
	page := float64(os.Getpagesize()) / 1e9
	host.process(1, "init", 100, 1, 10)
	host.process(20, "nginx", 1000, 2, 300)
	host.process(21, "nginx", 2000, 3, 400)
	host.process(30, "a b) (c", 50, 4, 600)
	host.process(40, "idle", 5, 5, 0)
	c := host.collector()
	at(c, 0)
	c.Prime(t.Context())
	// In ten seconds of two cores: 2000 ticks.
	host.process(20, "nginx", 1100, 2, 300)
	host.process(21, "nginx", 2300, 3, 400)
	host.process(30, "other", 60, 900, 600) // another process has taken the pid
	host.process(50, "new", 20, 950, 1)
	host.remove(host.sys.proc + "/40")
	at(c, 10*time.Second)
	samples := c.Collect(t.Context())
	if got, want := ranking(samples, "process_cpu", 1), "nginx:20 other:3 new:1"; got != want {
		t.Errorf("process_cpu: %s, want %s", got, want)
	}
	if got, want := ranking(samples, "process_memory", page), "nginx:700 other:600 init:10 new:1"; got != want {
		t.Errorf("process_memory: %s, want %s", got, want)
	}
	if got := mustFind(t, samples, `processes{hostname="h"}`).Value; got != 5 {
		t.Errorf("processes: %v, want 5", got)
	}
}

func TestProcessesAreTheTopFew(t *testing.T) {
	host := newFakeHost(t)
	for i := range 20 {
		host.process(100+i, fmt.Sprintf("p%02d", i), 0, 1, 100+i)
	}
	f := func(top int, want ...string) {
		t.Helper()
		host.opts.TopProcesses = top
		var names []string
		for _, s := range host.collector().Collect(t.Context()) {
			if s.Series.Type == "process_memory" {
				names = append(names, s.Series.Labels.Get("process"))
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("top %d: %v, want %v", top, names, want)
		}
	}
	host.remove(host.sys.proc + "/10")
	f(0, "p19", "p18", "p17", "p16", "p15")
	f(2, "p19", "p18")
	f(-1)
}

func TestKernelThreadsShareAName(t *testing.T) {
	host := newFakeHost(t)
	for pid, name := range map[int]string{200: "kworker/0:1-ev", 201: "kworker/u4:2", 202: "user/1"} {
		flags := 2097152
		if pid == 202 {
			flags = 4194560
		}
		host.proc(fmt.Sprintf("%d/stat", pid), fmt.Sprintf("%d (%s) S 2 0 0 0 -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 5 0 7 0", pid, name, flags))
	}
	got := ranking(host.collector().Collect(t.Context()), "process_memory", float64(os.Getpagesize())/1e9)
	if !strings.Contains(got, "kworker:14") || !strings.Contains(got, "user/1:7") {
		t.Errorf("process_memory: %s", got)
	}
}

func TestProcessesAreNotScannedInEachRound(t *testing.T) {
	host := newFakeHost(t)
	c := host.collector()
	f := func(elapsed time.Duration, want bool) {
		t.Helper()
		at(c, elapsed)
		samples := c.Collect(t.Context())
		_, ok := find(samples, `processes{hostname="h"}`)
		if ok != want {
			t.Errorf("scanned after %v: %v, want %v", elapsed, ok, want)
		}
		if got := ranking(samples, "process_memory", 1) != ""; got != want {
			t.Errorf("process_memory after %v: %v, want %v", elapsed, got, want)
		}
	}
	f(0, true)
	f(time.Second, true)
	f(2*time.Second, false)
	f(5*time.Second, false)
	f(slowest+2*time.Second, true)
	f(slowest+3*time.Second, false)
}

// The names that come and go in the ranking must not pile up.
func TestSeriesByNameIsBounded(t *testing.T) {
	s := seriesByName{host: "h", metricType: "process_cpu"}
	first := s.get("a")
	if s.get("a") != first {
		t.Error("a name's series is another pointer the second time")
	}
	for i := range 5 * maxNamedSeries {
		s.get(fmt.Sprint(i))
	}
	if len(s.series) > maxNamedSeries {
		t.Errorf("%d series are kept", len(s.series))
	}
}

func TestProcessesAgreeWithProc(t *testing.T) {
	skipUnlessLinux(t)
	// Processes come and go, so a moment without is waited for.
	waitFor(t, "scan that agrees with /proc", func() bool {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for _, e := range entries {
			if strings.Trim(e.Name(), "0123456789") == "" {
				want++
			}
		}
		samples := New(Options{Host: "h", Logger: quiet()}).Collect(t.Context())
		return math.Abs(mustFind(t, samples, `processes{hostname="h"}`).Value-want) <= 3
	})
}
