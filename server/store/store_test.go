package store

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
)

func TestMain(m *testing.M) {
	appendForever() // the child of the tests that kill
	goleak.VerifyTestMain(m)
}

// start is an hour's start, far from today.
const start = int64(1_700_000_000_000) / hour * hour

// fakeClock is a clock that a test moves.
type fakeClock struct{ ms atomic.Int64 }

func (c *fakeClock) Now() time.Time { return time.UnixMilli(c.ms.Load()) }

// testLog writes into the test for as long as it runs.
type testLog struct{ tb testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.tb.Log(string(p[:len(p)-1]))
	return len(p), nil
}

// testOptions are options whose background work does nothing by itself.
func testOptions(tb testing.TB, dir string) Options {
	clock := &fakeClock{}
	clocks.Store(dir, clock)
	return Options{
		Dir: dir, Now: clock.Now, MinFree: 1, SyncInterval: -1,
		Logger: slog.New(slog.NewTextHandler(testLog{tb}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func openStore(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func testStore(tb testing.TB) *Store { return openStore(tb, testOptions(tb, tb.TempDir())) }

// setNow moves the store's fake clock.
func setNow(s *Store, ms int64) {
	clock, _ := clocks.Load(s.options.Dir)
	clock.(*fakeClock).ms.Store(ms)
}

// clocks are the clocks of the stores, by folder.
var clocks sync.Map

func mustAppend(tb testing.TB, s *Store, points ...Point) AppendResult {
	tb.Helper()
	r, err := s.Append(context.Background(), points)
	if err != nil {
		tb.Fatal(err)
	}
	if r.Stored+r.Duplicates+len(r.Rejected) != len(points) {
		tb.Fatalf("%d points make %+v", len(points), r)
	}
	return r
}

type sample struct {
	t int64
	v float64
}

// readRaw reads every raw sample of a series the way PromQL would.
func readRaw(tb testing.TB, s *Store, series *metric.Series) (samples []sample) {
	tb.Helper()
	q, err := s.raw.querier(minTime, maxTime)
	if err != nil {
		tb.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, exactly(toLabels(series))...)
	for set.Next() {
		if !labels.Equal(set.At().Labels(), toLabels(series)) {
			continue
		}
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			samples = append(samples, sample{at, v})
		}
		if it.Err() != nil {
			tb.Fatal(it.Err())
		}
	}
	if set.Err() != nil {
		tb.Fatal(set.Err())
	}
	return samples
}

// wantRaw checks that the series holds these samples and no others.
func wantRaw(tb testing.TB, s *Store, series *metric.Series, want ...sample) {
	tb.Helper()
	if got := readRaw(tb, s, series); !slices.Equal(got, want) {
		tb.Fatalf("%v holds %v, want %v", series, got, want)
	}
}

func byType(name string) []*labels.Matcher {
	return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, metric.TypeLabel, name)}
}

func cpuOf(host string) *metric.Series { return metric.NewSeries(metric.CPU, host, nil) }
