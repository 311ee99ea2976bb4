package collect

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// rounds runs a collector whose rounds take as long as cost says, and returns
// the stamps, and the moments in which they came, since the start of the bubble
// (which is a whole second).
func rounds(t *testing.T, n int, interval time.Duration, cost func(round int) time.Duration) (stamps, came []time.Duration) {
	start := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _ := withSources(stubSource{"stub", func(r *round) error {
		r.add(metric.NewSeries("cpu", "h", nil), 1)
		return nil
	}})
	err := c.Run(ctx, interval, func(samples []metric.Sample) {
		stamps = append(stamps, time.UnixMilli(samples[0].Time).Sub(start))
		came = append(came, time.Since(start))
		time.Sleep(cost(len(stamps)))
		if len(stamps) == n {
			cancel()
		}
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	return stamps, came
}

const ms = time.Millisecond

func TestRunKeepsToTheTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(300 * ms) // not on a tick
		stamps, came := rounds(t, 5, time.Second, func(int) time.Duration { return 30 * ms })
		want := []time.Duration{250 * ms, 700 * ms, 1700 * ms, 2700 * ms, 3700 * ms}
		if !slices.Equal(stamps, want) || !slices.Equal(came, want) {
			t.Errorf("stamps %v, came %v, want %v", stamps, came, want)
		}
	})
}

// A first round just before a tick makes that tick's rates noise.
func TestRunSkipsATickTooSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(700 * ms)
		stamps, _ := rounds(t, 3, time.Second, func(int) time.Duration { return 0 })
		want := []time.Duration{250 * ms, 1300 * ms, 2300 * ms}
		if !slices.Equal(stamps, want) {
			t.Errorf("stamps %v, want %v", stamps, want)
		}
	})
}

func TestRunSkipsLateRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stamps, _ := rounds(t, 5, time.Second, func(round int) time.Duration {
			if round == 2 {
				return 2500 * ms
			}
			return 0
		})
		// The round of 1 s ends at 3.5 s.
		want := []time.Duration{250 * ms, 1000 * ms, 4000 * ms, 5000 * ms, 6000 * ms}
		if !slices.Equal(stamps, want) {
			t.Errorf("stamps %v, want %v", stamps, want)
		}
	})
}

// When the wall clock is set back while Run runs, rounds go on each second with
// the new time, and no time is given twice in a row.
func TestRunSurvivesAClockSetBack(t *testing.T) {
	f := func(back time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			offset := time.Duration(0)
			c, _ := withSources(stubSource{"stub", func(r *round) error {
				r.add(metric.NewSeries("cpu", "h", nil), r.at.Seconds())
				return nil
			}})
			c.now = func() time.Time { return time.Now().Round(0).Add(-offset) }
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var times []int64
			lastCame := time.Now()
			_ = c.Run(ctx, time.Second, func(samples []metric.Sample) {
				times = append(times, samples[0].Time)
				if gap := time.Since(lastCame); gap > 2*time.Second {
					t.Errorf("back by %v: no round for %v", back, gap)
				}
				lastCame = time.Now()
				if len(times) == 5 {
					offset = back
				}
			})
			if len(times) < 18 {
				t.Errorf("back by %v: %d rounds in 20 s", back, len(times))
			}
			for i := 1; i < len(times); i++ {
				if times[i] == times[i-1] {
					t.Errorf("back by %v: the time %d twice", back, times[i])
				}
			}
		})
	}
	f(time.Hour)
	f(time.Second)
	f(2 * ms)
	f(-time.Hour) // forward
	f(-400 * ms)
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		c, _ := withSources()
		if err := c.Run(ctx, time.Second, func([]metric.Sample) { t.Error("a round after the end") }); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunRefusesAnInterval(t *testing.T) {
	if err := New(Options{Logger: quiet()}).Run(t.Context(), 0, nil); err == nil {
		t.Error("no error for an interval of 0")
	}
}

func TestStamp(t *testing.T) {
	tick := time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC)
	f := func(late time.Duration, want time.Time) {
		t.Helper()
		if got := stamp(tick.Add(late), tick, time.Second); !got.Equal(want) {
			t.Errorf("a round %v late is stamped %v", late, got)
		}
	}
	f(0, tick)
	f(90*ms, tick)
	f(-90*ms, tick)
	f(110*ms, tick.Add(110*ms))
	f(-time.Hour, tick.Add(-time.Hour))
}
