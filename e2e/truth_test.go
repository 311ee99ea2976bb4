package e2e_test

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
)

// truth is what a host has recorded.
type truth struct {
	host   string
	series []*metric.Series
	rounds map[int64]round // by time
}

func (t *truth) add(r round) {
	if t.rounds == nil {
		t.rounds = map[int64]round{}
	}
	t.rounds[r.at] = r
}

func (t *truth) clone() truth {
	return truth{t.host, t.series, maps.Clone(t.rounds)}
}

// kept counts the rounds that must be there.
func (t *truth) kept() (n int) {
	for _, r := range t.rounds {
		if r.kept {
			n++
		}
	}
	return n
}

// point is a stored sample.
type point struct {
	at    int64
	value float64
}

// openHistory opens the data folder of a server that has ended.
func openHistory(tb testing.TB, dir string) *store.Store {
	tb.Helper()
	s, err := store.Open(context.Background(), store.Options{Dir: dir, MinFree: 1})
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

// readHost returns every raw sample of a host, by metric type and the label n.
func readHost(tb testing.TB, s *store.Store, host string) map[string][]point {
	tb.Helper()
	q, err := s.Queryable().Querier(math.MinInt64/4, math.MaxInt64/4)
	if err != nil {
		tb.Fatal(err)
	}
	defer q.Close()
	out := map[string][]point{}
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, host))
	for set.Next() {
		l := set.At().Labels()
		key := l.String()
		if _, twice := out[key]; twice {
			tb.Fatalf("the series %s is there twice", key)
		}
		var points []point
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			points = append(points, point{at, v})
		}
		if it.Err() != nil {
			tb.Fatal(it.Err())
		}
		out[key] = points
	}
	if set.Err() != nil {
		tb.Fatal(set.Err())
	}
	return out
}

// key is the key of a series in what readHost returns.
func key(s *metric.Series) string {
	pairs := []string{metric.TypeLabel, s.Type, metric.HostLabel, s.Host}
	for _, l := range s.Labels {
		pairs = append(pairs, l.Name, l.Value)
	}
	return labels.FromStrings(pairs...).String()
}

// checkStored compares the store with the truth: every sample that was kept is
// there exactly once with its value, and nothing else is.
func checkStored(tb testing.TB, s *store.Store, want truth) {
	tb.Helper()
	check(tb, readHost(tb, s, want.host), want)
}

// checkStoredTogether is checkStored of what several servers have together, of
// which some may have the same.
func checkStoredTogether(tb testing.TB, stores []*store.Store, want truth) {
	tb.Helper()
	all := map[string][]point{}
	for _, s := range stores {
		for key, points := range readHost(tb, s, want.host) {
			all[key] = append(all[key], points...)
		}
	}
	for key, points := range all {
		slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
		all[key] = slices.Compact(points)
	}
	check(tb, all, want)
}

func check(tb testing.TB, stored map[string][]point, want truth) {
	tb.Helper()
	if len(want.rounds) == 0 {
		tb.Fatalf("%s has recorded nothing", want.host)
	}
	missing, wrong, strange, twice := 0, 0, 0, 0
	for i, series := range want.series {
		seen := map[int64]bool{}
		last := int64(math.MinInt64)
		for _, p := range stored[key(series)] {
			r, known := want.rounds[p.at]
			switch {
			case p.at <= last:
				twice++
			case !known:
				strange++
			case p.value != value(i, r.seed):
				wrong++
			}
			seen[p.at] = true
			last = p.at
		}
		for at, r := range want.rounds {
			if r.kept && !seen[at] {
				missing++
			}
		}
	}
	if missing+wrong+strange+twice > 0 || len(stored) != len(want.series) {
		tb.Errorf("%s: of %s samples in %d rounds %d are missing, %d wrong, %d never recorded, %d there twice; %d series, want %d",
			want.host, strconv.Itoa(want.kept()*len(want.series)), want.kept(), missing, wrong, strange, twice, len(stored), len(want.series))
		return
	}
	tb.Logf("%s: %d samples, each there once", want.host, want.kept()*len(want.series))
}
