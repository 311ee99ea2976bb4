package collect

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// stubSource does what its function says.
type stubSource struct {
	label string
	do    func(r *round) error
}

func (s stubSource) name() string                              { return s.label }
func (s stubSource) collect(_ context.Context, r *round) error { return s.do(r) }

// withSources is a collector of these sources alone, and its log.
func withSources(sources ...source) (*Collector, *bytes.Buffer) {
	var log bytes.Buffer
	c := New(Options{Host: "h", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c.sources = nil
	for _, s := range sources {
		c.sources = append(c.sources, &supervised{source: s})
	}
	return c, &log
}

func TestFailingSourceIsSaidOnceAndTheOthersGoOn(t *testing.T) {
	series := metric.NewSeries("cpu", "h", nil)
	err := errors.New("the moon is full")
	bad := stubSource{"bad", func(r *round) error { r.add(series, 1); return err }}
	good := stubSource{"good", func(r *round) error { r.add(series, 2); return nil }}
	c, log := withSources(bad, good)
	for range 3 {
		if got := c.Collect(t.Context()); len(got) != 1 || got[0].Value != 2 {
			t.Fatalf("samples: %v, want the good source's alone", got)
		}
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "the moon is full") || !strings.Contains(text, "source=bad") {
		t.Errorf("log: %s", text)
	}
	err = nil
	for range 2 {
		if got := c.Collect(t.Context()); len(got) != 2 {
			t.Fatalf("samples: %v, want those of both sources", got)
		}
	}
	if text := log.String(); strings.Count(text, "source works again") != 1 {
		t.Errorf("log: %s", text)
	}
}

func TestPanicOfASourceIsAnError(t *testing.T) {
	series := metric.NewSeries("cpu", "h", nil)
	bad := stubSource{"bad", func(r *round) error { r.add(series, 1); panic("out of cheese") }}
	good := stubSource{"good", func(r *round) error { r.add(series, 2); return nil }}
	c, log := withSources(bad, good)
	for range 3 {
		if got := c.Collect(t.Context()); len(got) != 1 || got[0].Value != 2 {
			t.Fatalf("samples: %v", got)
		}
	}
	if text := log.String(); strings.Count(text, "out of cheese") != 1 || !strings.Contains(text, "source_test.go") {
		t.Errorf("log: %s", text)
	}
}

func TestUnsupportedSourceIsTriedOnceAMinute(t *testing.T) {
	tries := 0
	c, log := withSources(stubSource{"sensors", func(*round) error { tries++; return unsupported("no sensors") }})
	at := func(elapsed time.Duration) {
		c.start = time.Now().Add(-elapsed)
		c.Collect(t.Context())
	}
	at(time.Second)
	at(2 * time.Second)
	at(59 * time.Second)
	if tries != 1 {
		t.Errorf("%d tries in the first minute", tries)
	}
	at(62 * time.Second)
	if tries != 2 {
		t.Errorf("%d tries after a minute", tries)
	}
	if text := log.String(); strings.Count(text, "level=INFO") != 1 || strings.Contains(text, "WARN") {
		t.Errorf("log: %s", text)
	}
}

func TestScheduleKeepsItsErrorUntilARunSucceeds(t *testing.T) {
	var s schedule
	runs, err := 0, errors.New("no")
	f := func(at time.Duration, wantRuns int, want error) {
		t.Helper()
		got := s.run(t.Context(), at, func() error { runs++; return err })
		if got != want || runs != wantRuns {
			t.Errorf("at %v: %v after %d runs, want %v after %d", at, got, runs, want, wantRuns)
		}
	}
	failure := err
	f(0, 1, failure)
	f(time.Second, 2, failure)
	f(2*time.Second, 2, failure)
	err = nil
	f(3*time.Second, 2, failure)
	f(6*time.Second, 3, nil)
	err = failure
	f(7*time.Second, 3, nil)
	f(10990*time.Millisecond, 4, failure)
}

// Work that is dear is done less often, and what was dear only once is not.
func TestScheduleBoundsTheCost(t *testing.T) {
	f := func(cost, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var s schedule
			var last, gap time.Duration
			for at := time.Duration(0); at < 5*time.Minute; at += time.Second {
				_ = s.run(t.Context(), at, func() error {
					time.Sleep(cost)
					gap, last = at-last, at
					return nil
				})
			}
			if gap != want {
				t.Errorf("work of %v is done every %v, want %v", cost, gap, want)
			}
		})
	}
	f(0, 5*time.Second)
	f(2*time.Millisecond, 5*time.Second)
	f(5*time.Millisecond, 5*time.Second)
	f(6*time.Millisecond, 10*time.Second)
	f(20*time.Millisecond, 20*time.Second)
	f(time.Second, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		var s schedule
		runs := 0
		for at := time.Duration(0); at <= 12*time.Second; at += time.Second {
			_ = s.run(t.Context(), at, func() error {
				runs++
				if runs == 1 || runs == 3 {
					time.Sleep(20 * time.Millisecond)
				}
				return nil
			})
		}
		if runs != 4 { // at 0, 1, 6 and 11 seconds
			t.Errorf("%d runs where the first and one more were dear", runs)
		}
	})
}

func TestRoundLeavesOutWhatIsNotFinite(t *testing.T) {
	var r round
	series := metric.NewSeries("cpu", "h", nil)
	zero := 0.0
	r.add(series, zero/zero)
	r.add(series, 1/zero)
	r.add(series, -1/zero)
	if len(r.samples) != 0 {
		t.Errorf("samples: %v", r.samples)
	}
}
