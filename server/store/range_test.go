package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vitals-rpc/vitals/metric"
)

// model is history as simply as it can be said.
type model map[*metric.Series]map[int64]float64

// wantRange checks an answer against the model.
func (m model) wantRange(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Store, request RangeRequest) RangeResult {
	t.Helper()
	got, err := s.Range(context.Background(), request)
	if err != nil {
		t.Fatalf("%+v: %v", request, err)
	}
	g := request.grid(got.Tier)
	if got.Start > request.Start || got.End < request.End || got.Start != g.from || got.End != g.to || got.Step != g.step {
		t.Fatalf("asked for %d to %d in %d points, got %d to %d by %d", request.Start, request.End, request.MaxPoints, got.Start, got.End, got.Step)
	}
	want := map[string]RangeSeries{}
	for series, samples := range m {
		if w := bucketsOf(samples, g); len(w.Times) > 0 {
			want[series.Key()] = w
		}
	}
	if len(got.Series) != len(want) {
		t.Fatalf("%d series, want %d", len(got.Series), len(want))
	}
	for _, g := range got.Series {
		w := want[g.Series.Key()]
		if !slices.Equal(g.Times, w.Times) || !slices.Equal(g.Count, w.Count) || !slices.Equal(g.Min, w.Min) ||
			!slices.Equal(g.Max, w.Max) || !slices.EqualFunc(g.Avg, w.Avg, near) {
			t.Fatalf("%v from %v by %d:\n got %v %v %v %v %v\nwant %v %v %v %v %v", g.Series, got.Tier, got.Step,
				g.Times, g.Count, g.Min, g.Max, g.Avg, w.Times, w.Count, w.Min, w.Max, w.Avg)
		}
	}
	return got
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func bucketsOf(samples map[int64]float64, g grid) (out RangeSeries) {
	sums := map[int64]*RangeSeries{}
	for at, v := range samples {
		if at < g.from || at >= g.to {
			continue
		}
		b := g.start(g.bucket(at))
		if sums[b] == nil {
			sums[b] = &RangeSeries{Avg: []float64{0}, Min: []float64{v}, Max: []float64{v}, Count: []uint64{0}}
			out.Times = append(out.Times, b)
		}
		sums[b].Avg[0] += v
		sums[b].Min[0], sums[b].Max[0] = min(sums[b].Min[0], v), max(sums[b].Max[0], v)
		sums[b].Count[0]++
	}
	slices.Sort(out.Times)
	for _, b := range out.Times {
		s := sums[b]
		out.Avg = append(out.Avg, s.Avg[0]/float64(s.Count[0]))
		out.Min, out.Max, out.Count = append(out.Min, s.Min[0]), append(out.Max, s.Max[0]), append(out.Count, s.Count[0])
	}
	return out
}

// TestRangeIsWhatWasAppended appends in random order, rolls up, mends, restarts
// and asks at random, and compares with the model each time.
func TestRangeIsWhatWasAppended(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		// Each check opens a store; a hundred take a minute with the race detector.
		if err := flag.Set("rapid.checks", "25"); err != nil {
			t.Fatal(err)
		}
		defer flag.Set("rapid.checks", f.DefValue)
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "range") //nolint:usetesting // rapid.T has no TempDir
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := Options{Dir: dir, MinFree: 1, SyncInterval: -1, Now: (&fakeClock{}).Now, OutOfOrderWindow: 10 * day, RawRetention: 1000 * day}
		s, err := Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		m := model{cpuOf("a"): {}, cpuOf("b"): {}, metric.NewSeries(metric.CPU, "b", metric.NewLabels("core", "1")): {}}
		series := slices.Collect(func(yield func(*metric.Series) bool) {
			for s := range m {
				if !yield(s) {
					return
				}
			}
		})
		slices.SortFunc(series, func(a, b *metric.Series) int { return strings.Compare(a.Key(), b.Key()) }) // the same each time, so that a failure can be had again
		span := rapid.SampledFrom([]int64{2 * minute, 3 * hour, 49 * hour, 60 * 24 * hour}).Draw(t, "span")
		if span > 9*24*hour {
			o.OutOfOrderWindow = 100 * day
			s.Close()
			if s, err = Open(context.Background(), o); err != nil {
				t.Fatal(err)
			}
		}
		at := rapid.Int64Range(0, span-1)
		add := func(t *rapid.T) {
			one := series[rapid.IntRange(0, len(series)-1).Draw(t, "series")]
			from := at.Draw(t, "from")
			every := rapid.SampledFrom([]int64{1, 1000, 7 * second, 30 * minute}).Draw(t, "every")
			var points []Point
			want := 0
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			decimal := rapid.Bool().Draw(t, "decimal")
			for i := range rapid.Int64Range(1, 60).Draw(t, "n") {
				p := start + from + i*every
				v := random.NormFloat64() * 1e3
				if decimal {
					v = math.Round(v*100) / 100
				}
				if old, ok := m[one][p]; ok {
					v = old
				} else {
					m[one][p] = v
					want++
				}
				points = append(points, Point{s.Ref(one), p, v})
			}
			if rapid.Bool().Draw(t, "backwards") {
				slices.Reverse(points)
			}
			r, err := s.Append(context.Background(), points)
			if err != nil || r.Stored != want || len(r.Rejected) > 0 {
				t.Fatalf("%+v, %v; want %d stored", r, err, want)
			}
		}
		keep := func(t *rapid.T) {
			closed := floor(start+at.Draw(t, "closed"), minute)
			quiet := rapid.SampledFrom([]int64{minTime, maxTime}).Draw(t, "quiet")
			if err := s.keep(context.Background(), closed, quiet); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add, "add more": add, "keep": keep,
			"restart": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(context.Background(), o); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				from := start + at.Draw(t, "start")
				m.wantRange(t, s, RangeRequest{
					Matchers: byType(metric.CPU), Start: from, End: from + at.Draw(t, "length"),
					MaxPoints: rapid.SampledFrom([]int{1, 2, 10, 500}).Draw(t, "points"),
				})
			},
		})
	})
}

// fill appends a sample each step to every series, from start on.
func fill(tb testing.TB, s *Store, m model, length, step int64, value func(i int64) float64) {
	tb.Helper()
	for series := range m {
		var points []Point
		for at := int64(0); at < length; at += step {
			v := value(at / step)
			m[series][start+at] = v
			points = append(points, Point{s.Ref(series), start + at, v})
		}
		for chunk := range slices.Chunk(points, 10_000) {
			mustAppend(tb, s, chunk...)
		}
	}
}

func TestRangeTiers(t *testing.T) {
	s := testStore(t)
	m := model{cpuOf("a"): {}}
	const length = 40 * 24 * hour
	fill(t, s, m, length, minute/2, func(i int64) float64 {
		if i == 12345 {
			return 100 // a spike of one sample
		}
		return float64(i % 50)
	})
	setNow(s, start+length-2*hour)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := func(from, to int64, points int, tier Tier, step int64) {
		t.Helper()
		r := m.wantRange(t, s, RangeRequest{Matchers: byType(metric.CPU), Start: start + from, End: start + to - 1, MaxPoints: points})
		if r.Tier != tier || r.Step != step {
			t.Errorf("%d ms in %d points: read %v by %d, want %v by %d", to-from, points, r.Tier, r.Step, tier, step)
		}
	}
	f(0, hour, 500, Raw, 10*second)
	f(0, 24*hour, 500, Minute, 3*minute)
	f(0, 30*24*hour, 500, Hour, 2*hour)
	f(0, length, 500, Hour, 2*hour)
	f(0, length, 100, Hour, 10*hour)
	f(length-24*hour, length, 500, Minute, 3*minute) // the newest two hours from raw
	r := m.wantRange(t, s, RangeRequest{Matchers: byType(metric.CPU), Start: start, End: start + length, MaxPoints: 20})
	if slices.Max(r.Series[0].Max) != 100 {
		t.Error("the spike is lost")
	}
	st := s.Stats()
	if st.MinuteEnd != start+length-2*hour-minute || st.HourEnd != floor(st.MinuteEnd, hour) {
		t.Errorf("written until %d and %d", st.MinuteEnd, st.HourEnd)
	}
}

// TestRangeOfAllTime asks from before 1970 until now, in few points and many.
func TestRangeOfAllTime(t *testing.T) {
	s := testStore(t)
	m := model{cpuOf("a"): {}}
	fill(t, s, m, hour, 10*second, func(i int64) float64 { return float64(i) })
	for _, from := range []int64{math.MinInt64, -10 * 365 * 24 * hour, -1, 0} {
		for _, to := range []int64{start + hour, math.MaxInt64} {
			for _, points := range []int{1, 2, 3, 500, math.MaxInt} {
				r, err := s.Range(t.Context(), RangeRequest{Matchers: byType(metric.CPU), Start: from, End: to, MaxPoints: points})
				if err != nil || len(r.Series) != 1 {
					t.Fatalf("from %d to %d in %d points: %+v, %v", from, to, points, r, err)
				}
				samples := uint64(0)
				for _, n := range r.Series[0].Count {
					samples += n
				}
				if samples != 360 {
					t.Errorf("from %d to %d in %d points: %d samples, want 360", from, to, points, samples)
				}
			}
		}
	}
}

// TestRangeIsClipped asks for a few minutes of an hour in one point, of which
// nothing may be of other times.
func TestRangeIsClipped(t *testing.T) {
	s := testStore(t)
	m := model{cpuOf("a"): {}}
	fill(t, s, m, hour, 10*second, func(i int64) float64 { return float64(i) })
	for _, rolled := range []bool{false, true} {
		if rolled {
			setNow(s, start+hour+minute)
			if err := s.RollUp(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r := m.wantRange(t, s, RangeRequest{Matchers: byType(metric.CPU), Start: start + 41*minute, End: start + 45*minute, MaxPoints: 1})
		one := r.Series[0]
		if len(one.Times) != 1 || one.Times[0] != start+41*minute || one.Min[0] != 41*6 || one.Max[0] != 45*6-1 || one.Count[0] != 24 {
			t.Errorf("rolled up %v: %+v", rolled, one)
		}
	}
}

// TestRangeOfSparseSeries takes no room for buckets without a sample.
func TestRangeOfSparseSeries(t *testing.T) {
	s := testStore(t)
	const n = 50
	var points []Point
	for i := range int64(n) {
		points = append(points, Point{s.Ref(cpuOf(fmt.Sprint("host-", i))), start + i*minute, 1})
	}
	mustAppend(t, s, points...)
	request := RangeRequest{Matchers: byType(metric.CPU), Start: start, End: start + 24*hour, MaxPoints: 100_000, MaxBuckets: n}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := s.Range(t.Context(), request)
	runtime.ReadMemStats(&after)
	if err != nil || len(r.Series) != n {
		t.Fatalf("%d series, %v", len(r.Series), err)
	}
	if each := (after.TotalAlloc - before.TotalAlloc) / n; each > 1_000_000 { // the store's own work is in it
		t.Errorf("%d bytes for each series of one sample", each)
	}
	request.MaxBuckets--
	_, err = s.Range(t.Context(), request)
	if limit, ok := errors.AsType[*QueryLimitError](err); !ok || limit.What != "points" {
		t.Errorf("one bucket more than may be: %v", err)
	}
}

func TestRangeLimits(t *testing.T) {
	s := testStore(t)
	m := model{}
	for i := range 5 {
		m[cpuOf(fmt.Sprint("host-", i))] = map[int64]float64{}
	}
	fill(t, s, m, hour, 10*second, func(i int64) float64 { return 1 })
	f := func(series, samples int, what string) {
		t.Helper()
		_, err := s.Range(context.Background(), RangeRequest{
			Matchers: byType(metric.CPU), Start: start, End: start + hour, MaxSeries: series, MaxSamples: samples,
		})
		limit, ok := errors.AsType[*QueryLimitError](err)
		if what == "" && err != nil || what != "" && (!ok || limit.What != what) {
			t.Errorf("%d series and %d samples: %v, want a limit of %q", series, samples, err, what)
		}
	}
	f(5, 5*360, "")
	f(4, 0, "series")
	f(5, 5*360-1, "samples")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Range(ctx, RangeRequest{Matchers: byType(metric.CPU), Start: start, End: start + hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
