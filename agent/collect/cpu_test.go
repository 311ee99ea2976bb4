package collect

import (
	"fmt"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// cpuRounds gives each text as /proc/stat of a round, and returns the last round.
func cpuRounds(t *testing.T, texts ...string) []metric.Sample {
	t.Helper()
	host := newFakeHost(t)
	host.proc("stat", texts[0])
	c := host.collector()
	c.Prime(t.Context())
	var samples []metric.Sample
	for i, text := range texts[1:] {
		host.proc("stat", text)
		at(c, time.Duration(i+1)*time.Second)
		samples = c.Collect(t.Context())
	}
	return samples
}

func TestCPUArithmetic(t *testing.T) {
	f := func(want string, before, after string) {
		t.Helper()
		samples := cpuRounds(t, "cpu "+before+"\ncpu0 "+before+"\n", "cpu "+after+"\ncpu0 "+after+"\n")
		got := "none"
		if s, ok := find(samples, `cpu{hostname="h"}`); ok {
			got = fmt.Sprint(s.Value)
		}
		if got != want {
			t.Errorf("%s -> %s: cpu is %s, want %s", before, after, got, want)
		}
	}
	//                      user nice system idle iowait irq softirq steal guest guest_nice
	f("0", "0 0 0 100 0 0 0 0 0 0", "0 0 0 200 0 0 0 0 0 0")
	f("100", "0 0 0 100 0 0 0 0 0 0", "100 0 0 100 0 0 0 0 0 0")
	f("50", "0 0 0 0 0 0 0 0 0 0", "10 10 10 40 10 10 5 5 0 0")
	f("0", "0 0 0 100 0 0 0 0 0 0", "0 0 0 150 50 0 0 0 0 0")      // iowait is idle
	f("25", "0 0 0 100 0 0 0 0 0 0", "0 0 0 175 0 0 0 25 0 0")     // steal is busy
	f("50", "0 0 0 100 0 0 0 0 0 0", "50 0 0 150 0 0 0 0 50 0")    // guest is within user
	f("10", "0 0 0 100 50 0 0 0 0 0", "10 0 0 190 49 0 0 0 0 0")   // iowait goes back a tick
	f("none", "5 0 5 100 0 0 0 0 0 0", "5 0 5 100 0 0 0 0 0 0")    // no tick passed
	f("none", "500 0 500 900 0 0 0 0 0 0", "1 0 1 10 0 0 0 0 0 0") // counted anew
	f("50", "10 0 0 10", "20 0 0 20")                              // an old kernel's columns
}

func TestCPURecoversFromAReset(t *testing.T) {
	samples := cpuRounds(t, "cpu 500 0 0 500\ncpu0 500 0 0 500\n", "cpu 1 0 0 1\ncpu0 1 0 0 1\n", "cpu 4 0 0 2\ncpu0 4 0 0 2\n")
	for _, series := range []string{`cpu{hostname="h"}`, `cpu_core{hostname="h", core="0"}`} {
		if got := mustFind(t, samples, series).Value; got != 75 {
			t.Errorf("%s is %v, want 75", series, got)
		}
	}
}

func TestCPUCoresGoOfflineAndComeBack(t *testing.T) {
	samples := cpuRounds(t,
		"cpu 0 0 0 200\ncpu0 0 0 0 100\ncpu7 0 0 0 100\n",
		"cpu 0 0 0 250\ncpu0 0 0 0 150\n",
		"cpu 50 0 0 300\ncpu0 0 0 0 200\ncpu7 50 0 0 100\n")
	if _, ok := find(samples, `cpu_core{hostname="h", core="7"}`); ok {
		t.Error("a core that was just switched on has no baseline, so no sample")
	}
	if got := mustFind(t, samples, `cpu_core{hostname="h", core="0"}`).Value; got != 0 {
		t.Errorf("core 0 is %v", got)
	}
}

// Over less than a few ticks a percentage is chance; the baseline stays.
func TestCPUNeedsAFewTicks(t *testing.T) {
	host := newFakeHost(t)
	c := host.collector()
	at(c, time.Second)
	c.Prime(t.Context())
	host.proc("stat", "cpu 101 0 100 800\ncpu0 51 0 50 400\ncpu2 50 0 50 400\n")
	at(c, 1010*time.Millisecond)
	if _, ok := find(c.Collect(t.Context()), `cpu{hostname="h"}`); ok {
		t.Error("a sample of cpu over 10 ms")
	}
	host.proc("stat", "cpu 101 0 100 809\ncpu0 51 0 50 404\ncpu2 50 0 50 405\n")
	at(c, 1100*time.Millisecond)
	if got := mustFind(t, c.Collect(t.Context()), `cpu{hostname="h"}`).Value; got != 10 {
		t.Errorf("cpu is %v, want 10 over all the time since the baseline", got)
	}
}

func TestShare(t *testing.T) {
	f := func(want float64, spent, elapsed time.Duration, cores int) {
		t.Helper()
		if got := share(spent, elapsed, cores); got != want {
			t.Errorf("%v of %v on %d cores is %v, want %v", spent, elapsed, cores, got, want)
		}
	}
	f(50, time.Second, time.Second, 2)
	f(10, time.Second, 5*time.Second, 2)
	f(100, 3*time.Second, time.Second, 2)
	f(0, 0, time.Second, 2)
}
