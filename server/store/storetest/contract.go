// Package storetest holds what every history must do, as a suite of tests that
// runs on any implementation.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
)

// History is what the suite asks for.
type History interface {
	// Append stores samples; see [store.Store.Append].
	Append(ctx context.Context, samples []metric.Sample) (store.AppendResult, error)
	// Range reads buckets; see [store.Store.Range].
	Range(ctx context.Context, request store.RangeRequest) (store.RangeResult, error)
	// Series lists series; see [store.Store.Series].
	Series(ctx context.Context, start, end int64, matchers ...*labels.Matcher) ([]*metric.Series, error)
	// Queryable reads samples; see [store.Store.Queryable].
	Queryable() storage.Queryable
	// Close gives the folder back.
	Close() error
}

// begin is a moment at the start of an hour, minute and ms are lengths in
// milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	begin  = 472_222 * hour
)

// Run runs the suite. Open opens the history in a folder, with an out-of-order
// window of a day; it is called again on the same folder after a Close.
func Run(t *testing.T, open func(tb testing.TB, dir string) History) {
	tests := map[string]func(*suite){
		"what is appended is read back":   (*suite).readsBack,
		"a retry stores nothing twice":    (*suite).retries,
		"good points of a bad batch stay": (*suite).keepsTheGood,
		"late samples come in any order":  (*suite).takesLate,
		"a spike is seen over a month":    (*suite).keepsSpikes,
		"matchers choose":                 (*suite).matches,
		"a closed history refuses":        (*suite).refusesClosed,
		"an empty history has nothing":    (*suite).isEmpty,
		"a batch of nothing is no error":  (*suite).takesNothing,
		"equal series are one":            (*suite).joinsEqual,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := &suite{T: t, History: open(t, dir)}
			s.reopen = func() {
				t.Helper()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s.History = open(t, dir)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	History
	reopen func()
}

func cpu(host string) *metric.Series { //nolint:unparam // it reads better named
	return metric.NewSeries(metric.CPU, host, nil)
}

func equal(name, value string) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchEqual, name, value)
}

func (s *suite) append(stored, duplicates, rejected int, samples ...metric.Sample) store.AppendResult {
	s.Helper()
	r, err := s.Append(context.Background(), samples)
	if err != nil || r.Stored != stored || r.Duplicates != duplicates || len(r.Rejected) != rejected {
		s.Fatalf("%+v, %v; want %d stored, %d duplicates, %d refused", r, err, stored, duplicates, rejected)
	}
	return r
}

// holds checks the samples of a series, now and after a restart.
func (s *suite) holds(series *metric.Series, want ...metric.Sample) {
	s.Helper()
	for range 2 {
		if got := s.read(series); !slices.Equal(got, want) {
			s.Fatalf("%v holds %v, want %v", series, got, want)
		}
		s.reopen()
	}
}

func (s *suite) read(series *metric.Series) (samples []metric.Sample) {
	s.Helper()
	q, err := s.Queryable().Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		s.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, equal(metric.TypeLabel, series.Type), equal(metric.HostLabel, series.Host))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			samples = append(samples, metric.Sample{Series: series, Time: at, Value: v})
		}
		if it.Err() != nil {
			s.Fatal(it.Err())
		}
	}
	if set.Err() != nil {
		s.Fatal(set.Err())
	}
	return samples
}

func (s *suite) readsBack() {
	a := cpu("a")
	var want []metric.Sample
	for i := range int64(500) {
		want = append(want, metric.Sample{Series: a, Time: begin + i*second, Value: math.Sqrt(float64(i))})
	}
	s.append(500, 0, 0, want...)
	s.holds(a, want...)
}

func (s *suite) retries() {
	a := cpu("a")
	var batch []metric.Sample
	for i := range int64(100) {
		batch = append(batch, metric.Sample{Series: a, Time: begin + i*second, Value: float64(i)})
	}
	s.append(100, 0, 0, batch...)
	s.append(0, 100, 0, batch...)
	s.append(0, 30, 0, batch[20:50]...)
	s.reopen()
	s.append(0, 100, 0, batch...)
	s.holds(a, batch...)
}

func (s *suite) keepsTheGood() {
	a := cpu("a")
	at := func(i int64, v float64) metric.Sample { return metric.Sample{Series: a, Time: begin + i, Value: v} }
	s.append(2, 0, 0, at(0, 1), at(30*hour, 2))
	r := s.append(2, 1, 4, at(0, 1), at(0, 5), at(hour, 1), at(29*hour, 3), at(31*hour, 4), at(32*hour, math.NaN()), at(33*hour, math.Inf(-1)))
	for _, rejected := range r.Rejected {
		want := map[int]error{1: store.ErrConflict, 2: store.ErrTooOld, 5: metric.ErrNotFinite, 6: metric.ErrNotFinite}[rejected.Index]
		if want == nil || !errors.Is(rejected.Reason, want) {
			s.Errorf("point %d was refused: %v, want %v", rejected.Index, rejected.Reason, want)
		}
	}
	s.holds(a, at(0, 1), at(29*hour, 3), at(30*hour, 2), at(31*hour, 4))
}

func (s *suite) takesLate() {
	a := cpu("a")
	var want []metric.Sample
	for i := range int64(200) {
		want = append(want, metric.Sample{Series: a, Time: begin + i*minute, Value: float64(i)})
	}
	for i := range want {
		s.append(1, 0, 0, want[(i*73+199)%200])
	}
	s.holds(a, want...)
}

func (s *suite) keepsSpikes() {
	a := cpu("a")
	const spike = 17*24*hour + 12345*second
	var samples []metric.Sample
	for at := int64(0); at < 30*24*hour; at += 5 * minute {
		samples = append(samples, metric.Sample{Series: a, Time: begin + at, Value: 1})
	}
	samples = append(samples, metric.Sample{Series: a, Time: begin + spike, Value: 99})
	slices.SortFunc(samples, func(a, b metric.Sample) int { return int(a.Time - b.Time) })
	s.append(len(samples), 0, 0, samples...)
	r, err := s.Range(context.Background(), store.RangeRequest{
		Matchers: []*labels.Matcher{equal(metric.TypeLabel, metric.CPU)}, Start: begin, End: begin + 30*24*hour - 1, MaxPoints: 100,
	})
	if err != nil || len(r.Series) != 1 || len(r.Series[0].Times) > 100 {
		s.Fatalf("%+v, %v", r, err)
	}
	var count uint64
	for i, at := range r.Series[0].Times {
		count += r.Series[0].Count[i]
		seen := r.Series[0].Max[i] == 99
		if seen != (at <= begin+spike && begin+spike < at+r.Step) {
			s.Errorf("bucket %d has a maximum of %v", i, r.Series[0].Max[i])
		}
		if r.Series[0].Min[i] != 1 {
			s.Errorf("bucket %d has a minimum of %v", i, r.Series[0].Min[i])
		}
	}
	if count != uint64(len(samples)) {
		s.Errorf("%d samples counted of %d", count, len(samples))
	}
}

func (s *suite) matches() {
	for i := range 6 {
		for _, typ := range []string{"cpu", "load1"} {
			series := metric.NewSeries(typ, fmt.Sprint("web-", i), metric.NewLabels("zone", fmt.Sprint(i%2)))
			s.append(1, 0, 0, metric.Sample{Series: series, Time: begin, Value: 1})
		}
	}
	f := func(want int, matchers ...*labels.Matcher) {
		s.Helper()
		r, err := s.Range(context.Background(), store.RangeRequest{Matchers: matchers, Start: begin, End: begin + minute})
		if err != nil || len(r.Series) != want {
			s.Errorf("%v: a range of %d series, %v; want %d", matchers, len(r.Series), err, want)
		}
		list, err := s.Series(context.Background(), begin, begin+minute, matchers...)
		if err != nil || len(list) != want {
			s.Errorf("%v: %d series, %v; want %d", matchers, len(list), err, want)
		}
	}
	f(6, equal(metric.TypeLabel, "cpu"))
	f(2, equal(metric.HostLabel, "web-3"))
	f(1, equal(metric.HostLabel, "web-3"), equal(metric.TypeLabel, "cpu"))
	f(3, equal(metric.TypeLabel, "cpu"), equal("zone", "1"))
	f(4, labels.MustNewMatcher(labels.MatchRegexp, metric.HostLabel, "web-(1|2)"))
	f(5, equal(metric.TypeLabel, "cpu"), labels.MustNewMatcher(labels.MatchNotEqual, metric.HostLabel, "web-0"))
	f(0, equal(metric.TypeLabel, "nothing"))
}

func (s *suite) refusesClosed() {
	if err := s.Close(); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Append(context.Background(), []metric.Sample{{Series: cpu("a"), Time: begin, Value: 1}}); !errors.Is(err, store.ErrClosed) {
		s.Errorf("append: %v", err)
	}
	if _, err := s.Queryable().Querier(0, 1); !errors.Is(err, store.ErrClosed) {
		s.Errorf("querier: %v", err)
	}
}

func (s *suite) isEmpty() {
	r, err := s.Range(context.Background(), store.RangeRequest{
		Matchers: []*labels.Matcher{equal(metric.TypeLabel, metric.CPU)}, Start: begin, End: begin + 24*hour,
	})
	if err != nil || len(r.Series) != 0 {
		s.Errorf("%+v, %v", r, err)
	}
	s.holds(cpu("a"))
}

func (s *suite) takesNothing() { s.append(0, 0, 0) }

func (s *suite) joinsEqual() {
	one := metric.NewSeries("disk_used", "a", metric.NewLabels("mount", "/", "device", "sda"))
	two := metric.NewSeries("disk_used", "a", metric.NewLabels("device", "sda", "mount", "/"))
	s.append(1, 1, 0, metric.Sample{Series: one, Time: begin, Value: 1}, metric.Sample{Series: two, Time: begin, Value: 1})
	s.append(1, 0, 0, metric.Sample{Series: two, Time: begin + 1, Value: 2})
	s.holds(one, metric.Sample{Series: one, Time: begin, Value: 1}, metric.Sample{Series: one, Time: begin + 1, Value: 2})
}
