package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/query"
	"github.com/vitals-rpc/vitals/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.UnixMilli(1_700_000_400_000)

// newHistory holds an hour of cpu of three hosts, a sample each ten seconds:
// the host's number plus the minute.
func newHistory(tb testing.TB) *store.Store {
	tb.Helper()
	var now atomic.Int64
	s, err := store.Open(context.Background(), store.Options{
		Dir: tb.TempDir(), MinFree: 1, Now: func() time.Time { return time.UnixMilli(now.Load()) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	for host := range 3 {
		ref := s.Ref(metric.NewSeries(metric.CPU, fmt.Sprint("web-", host), nil))
		var points []store.Point
		for at := time.Duration(0); at < time.Hour; at += 10 * time.Second {
			points = append(points, store.Point{Ref: ref, Time: begin.Add(at).UnixMilli(), Value: float64(host*100) + at.Truncate(time.Minute).Minutes()})
		}
		if _, err := s.Append(context.Background(), points); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func TestInstant(t *testing.T) {
	e := query.New(newHistory(t).Queryable(), query.Options{})
	f := func(expr string, kind query.Kind, want string) {
		t.Helper()
		r, err := e.Instant(context.Background(), expr, begin.Add(30*time.Minute))
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			return
		}
		var got []string
		for _, s := range r.Series {
			var vs []string
			for _, p := range s.Points {
				vs = append(vs, fmt.Sprint(p.Value))
			}
			got = append(got, s.Labels.Get(metric.HostLabel)+"="+strings.Join(vs, ","))
		}
		slices.Sort(got)
		if r.Text != "" {
			got = append(got, r.Text)
		}
		if text := strings.Join(got, " "); text != want || r.Kind != kind {
			t.Errorf("%s: %v %q, want %v %q", expr, r.Kind, text, kind, want)
		}
	}
	f(`cpu`, query.Vector, "web-0=30 web-1=130 web-2=230")
	f(`cpu{hostname="web-1"} > 80`, query.Vector, "web-1=130")
	f(`sum(cpu)`, query.Vector, "=390")
	f(`count_over_time(cpu{hostname="web-2"}[5m])`, query.Vector, "web-2=30")
	f(`cpu{hostname="web-0"}[30s]`, query.Matrix, "web-0=29,29,30")
	f(`1+1`, query.Scalar, "=2")
	f(`"text"`, query.String, "text")
	f(`nothing`, query.Vector, "")
	f(`cpu{hostname="web-0"} offset 10m`, query.Vector, "web-0=20")
}

func TestRange(t *testing.T) {
	e := query.New(newHistory(t).Queryable(), query.Options{})
	r, err := e.Range(context.Background(), `cpu{hostname="web-1"}`, begin, begin.Add(30*time.Minute), 10*time.Minute)
	if err != nil || r.Kind != query.Matrix || len(r.Series) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i, p := range r.Series[0].Points {
		want := query.Point{Time: begin.Add(time.Duration(i) * 10 * time.Minute).UnixMilli(), Value: float64(100 + 10*i)}
		if p != want {
			t.Errorf("point %d is %v, want %v", i, p, want)
		}
	}
	if len(r.Series[0].Points) != 4 {
		t.Errorf("%d points", len(r.Series[0].Points))
	}
	f := func(start, end time.Time, step time.Duration) {
		t.Helper()
		_, err := e.Range(context.Background(), `cpu`, start, end, step)
		if _, ok := errors.AsType[*query.RangeError](err); !ok {
			t.Errorf("%v to %v by %v: %v", start, end, step, err)
		}
	}
	f(begin, begin.Add(-time.Second), time.Second)
	f(begin, begin.Add(time.Second), 0)
}

func TestParseError(t *testing.T) {
	e := query.New(newHistory(t).Queryable(), query.Options{})
	f := func(expr string, line, column int, near string) {
		t.Helper()
		_, err := e.Instant(context.Background(), expr, begin)
		p, ok := errors.AsType[*query.ParseError](err)
		if !ok {
			t.Errorf("%q: %v", expr, err)
			return
		}
		if p.Line != line || p.Column != column || p.Near != near || p.Reason == "" || expr[p.Offset:p.End] != near {
			t.Errorf("%q: %+v, want line %d, column %d, near %q", expr, *p, line, column, near)
		}
	}
	f(`cpu{`, 1, 5, "")
	f(`cpu{hostname=web}`, 1, 14, "web")
	f("sum(\n  cpu\n", 3, 1, "")
	f("# größer\ncpu}", 2, 4, "}")
	f(`rate(cpu)`, 1, 6, "cpu")
	f(`(cpu))`, 1, 6, ")")
	f(`cpu[5m]]`, 1, 8, "]")
	f(`unknown_function(cpu)`, 1, 1, "unknown_function")
	f(``, 1, 1, "")
	if _, err := e.Range(context.Background(), `cpu{`, begin, begin, time.Second); err == nil {
		t.Error("a range of a wrong expression")
	}
}

func TestLimits(t *testing.T) {
	s := newHistory(t)
	f := func(o query.Options, expr, what string) {
		t.Helper()
		_, err := query.New(s.Queryable(), o).Range(context.Background(), expr, begin, begin.Add(time.Hour), time.Minute)
		limit, ok := errors.AsType[*query.LimitError](err)
		if what == "" && err != nil || what != "" && (!ok || limit.What != what || limit.Hint == "" || limit.Limit == "") {
			t.Errorf("%+v: %v, want the limit of %q", o, err, what)
		}
	}
	f(query.Options{}, `cpu`, "")
	f(query.Options{MaxSeries: 3, MaxPoints: 61}, `cpu`, "")
	f(query.Options{MaxSeries: 2}, `cpu`, "series")
	f(query.Options{MaxSeries: 5}, `cpu + on(hostname) cpu`, "series")
	f(query.Options{MaxPoints: 60}, `cpu`, "points of a series")
	f(query.Options{MaxSamples: 100}, `cpu`, "samples")
	f(query.Options{Timeout: time.Nanosecond}, `cpu`, "time")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := query.New(s.Queryable(), query.Options{}).Instant(ctx, `cpu`, begin); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestWritten asks for what would take much by what is written, of a history that
// may not be read.
func TestWritten(t *testing.T) {
	unread := storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return nil, errRead })
	e := query.New(unread, query.Options{})
	ask := func(expr string) []error {
		_, instant := e.Instant(t.Context(), expr, begin)
		_, overTime := e.Range(t.Context(), expr, begin, begin.Add(24*time.Hour), 10*time.Second)
		return []error{instant, overTime}
	}
	passes := func(expr string) {
		t.Helper()
		for _, err := range ask(expr) {
			if !errors.Is(err, errRead) {
				t.Errorf("%.200s: %v", expr, err)
			}
		}
	}
	refused := func(expr, what, near string) {
		t.Helper()
		for _, err := range ask(expr) {
			limit, ok := errors.AsType[*query.LimitError](err)
			if !ok || limit.What != what || limit.Place == nil || limit.Place.Near != near || !strings.Contains(err.Error(), "at line 1, column ") {
				t.Errorf("%.200s: %.500v, want the limit of %q near %q", expr, err, what, near)
			}
		}
	}
	const steps = "steps of subqueries"
	passes(`sum_over_time(cpu[1d:1s])`)
	passes(`max_over_time(avg_over_time(cpu[1h:10s])[1d:])`)
	passes(`sum_over_time(cpu[1s:1ms] @ 9223372036854775 offset -290y)`)
	refused(`sum_over_time(cpu[100y:1ms])`, steps, `cpu[100y:1ms]`)
	refused(`1 + sum_over_time(cpu[2d:1ms] offset 5m) / 2`, steps, `cpu[2d:1ms] offset 5m`)
	refused(`sum_over_time(cpu[100y:])`, steps, `cpu[100y:]`)
	refused(`sum_over_time(cpu[12d:1s] @ end())`, steps, `cpu[12d:1s] @ end()`)
	refused(`sum(max_over_time(sum_over_time(cpu[1h:1s])[20y:1d]))`, steps, `cpu[1h:1s]`)
	refused(`max_over_time(cpu[6d:1s] @ 0) + max_over_time(memory[6d:1s] @ 0)`, steps, `memory[6d:1s] @ 0`)
	refused(`max_over_time(sum_over_time(cpu[1d:1s])[1d:1s])`, "steps in the windows of subqueries", `cpu[1d:1s]`)

	const levels = "levels of calls, signs and brackets"
	passes(strings.Repeat("cpu + ", 500) + "cpu")
	passes(strings.Repeat("abs(", 90) + "cpu" + strings.Repeat(")", 90))
	refused(strings.Repeat("-", 101)+"cpu", levels, "-cpu")
	refused(strings.Repeat("(", 4000)+"cpu"+strings.Repeat(")", 4000), levels, strings.Repeat("(", 3900)+"cpu"+strings.Repeat(")", 3900))

	const bytes = "bytes that functions add to labels"
	again := func(call, arguments string, n int) string {
		return strings.Repeat(call, n) + "cpu" + strings.Repeat(arguments, n)
	}
	passes(again(`label_replace(`, `,"a","$1.example","hostname","(.*)")`, 20))
	passes(again(`label_join(`, `,"a","-","hostname","a")`, 5))
	refused(again(`label_replace(`, `,"a","$1$1$1$1","a","(.*)")`, 4), bytes, again(`label_replace(`, `,"a","$1$1$1$1","a","(.*)")`, 4))
	refused(again(`label_join(`, `,"a","-","a","a","a","a")`, 4), bytes, again(`label_join(`, `,"a","-","a","a","a","a")`, 4))
	refused(`label_join(`+again(`label_replace(`, `,"a","`+strings.Repeat("x", 4000)+`$1$1$1","a","(.*)")`, 2)+`,"b","","a","a","a")`, bytes,
		`label_join(`+again(`label_replace(`, `,"a","`+strings.Repeat("x", 4000)+`$1$1$1","a","(.*)")`, 2)+`,"b","","a","a","a")`)

	const patterns = "parts of regular expressions"
	large := `"` + strings.Repeat(`\\pL{0,1000}`, 30) + `"`
	passes(`cpu{hostname=~"` + strings.Repeat(`web-[0-9]{1,3}|`, 200) + `"}`)
	refused(`cpu{hostname=~`+large+`}`, patterns, large)
	refused(`label_replace(cpu, "a", "$1", "hostname", `+large+`)`, patterns, large)
	if _, err := e.Selector(`cpu{hostname!~` + large + `}`); err == nil || !strings.Contains(err.Error(), patterns) {
		t.Errorf("a selector with a large pattern: %v", err)
	}
}

var errRead = errors.New("the history was read")

// TestTimes asks at times that the engine cannot count to.
func TestTimes(t *testing.T) {
	e := query.New(newHistory(t).Queryable(), query.Options{})
	for _, at := range []time.Time{time.Unix(1<<62, 0), time.Unix(-1<<62, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), {}} {
		_, err := e.Instant(t.Context(), `cpu`, at)
		if _, ok := errors.AsType[*query.RangeError](err); !ok {
			t.Errorf("at %v: %v", at, err)
		}
		for _, r := range [][2]time.Time{{at, begin}, {begin, at}, {at, at}} {
			_, err := e.Range(t.Context(), `cpu`, r[0], r[1], time.Hour)
			if _, ok := errors.AsType[*query.RangeError](err); !ok {
				t.Errorf("from %v to %v: %v", r[0], r[1], err)
			}
		}
	}
}

func TestSelector(t *testing.T) {
	e := query.New(nil, query.Options{})
	for _, text := range []string{`{}`, ` {} `, `{hostname=""}`, `{hostname=~".*"}`, `{hostname!="web-1"}`, `cpu{__name__="memory"}`, `cpu[5m]`, `cpu offset 5m`, `sum(cpu)`, `cpu{`, ``} {
		_, err := e.Selector(text)
		if p, ok := errors.AsType[*query.ParseError](err); !ok || p.Line != 1 || p.Reason == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{`cpu`, `sum`, `{hostname="web-1"}`, `{__name__=~"cpu.*",__name__!="cpu_core"}`, `{"cpu"}`, `{"cpu",hostname=""}`} {
		if _, err := e.Selector(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestGivenUp leaves a query while the windows of one series are read.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	it := &dense{Iterator: promql.NewStorageSeries(promql.Series{Floats: []promql.FPoint{{T: 1}}}).Iterator(nil)}
	it.each = func() {
		if it.read == 20_000 {
			cancel()
		}
	}
	one := storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return oneSeries{it: it}, nil })
	_, err := query.New(one, query.Options{}).Range(ctx, `sum_over_time(cpu[10s])`, time.UnixMilli(10_000), time.UnixMilli(1_100_000), 100*time.Millisecond)
	if !errors.Is(err, context.Canceled) || it.read > 1_000_000 {
		t.Errorf("%v after %d samples", err, it.read)
	}
}

// dense has a sample a millisecond; it leaves seeking to the first to another.
type dense struct {
	chunkenc.Iterator
	read int64
	each func()
	err  error // in place of samples
}

func (d *dense) Next() chunkenc.ValueType {
	if d.err != nil {
		return chunkenc.ValNone
	}
	d.read++
	d.each()
	return chunkenc.ValFloat
}
func (d *dense) At() (int64, float64) { return d.read, 1 }
func (d *dense) AtT() int64           { return d.read }
func (d *dense) AtST() int64          { return 0 }
func (d *dense) Err() error           { return d.err }

// oneSeries is a history of one series.
type oneSeries struct {
	storage.Querier
	storage.Series
	it  *dense
	err error // in place of it
}

func (o oneSeries) Select(context.Context, bool, *storage.SelectHints, ...*labels.Matcher) storage.SeriesSet {
	return &onceSet{SeriesSet: storage.TestSeriesSet(o), given: o.err != nil, err: o.err}
}
func (o oneSeries) Iterator(chunkenc.Iterator) chunkenc.Iterator { return o.it }
func (o oneSeries) Labels() labels.Labels                        { return labels.FromStrings(metric.TypeLabel, "cpu") }
func (o oneSeries) Close() error                                 { return nil }

// onceSet has one series.
type onceSet struct {
	storage.SeriesSet
	given bool
	err   error
}

func (s *onceSet) Err() error { return s.err }

func (s *onceSet) Next() bool {
	given := s.given
	s.given = true
	return !given
}

func TestStorageError(t *testing.T) {
	broken := storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return nil, store.ErrUnavailable })
	_, err := query.New(broken, query.Options{}).Instant(context.Background(), `cpu`, begin)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	// Nor is it the expression's fault where it is found out while it is read.
	for _, broken := range []oneSeries{{err: errRead}, {it: &dense{Iterator: chunkenc.NewNopIterator(), err: errRead}}} {
		history := storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return broken, nil })
		for _, expr := range []string{`cpu`, `rate(cpu[5m])`, `sum(max_over_time(cpu[5m:1m]))`} {
			_, err := query.New(history, query.Options{}).Instant(t.Context(), expr, begin)
			if _, ok := errors.AsType[*query.StorageError](err); !ok || !errors.Is(err, errRead) {
				t.Errorf("%s: %v", expr, err)
			}
		}
	}
}

func ExampleEngine_Instant() {
	_, err := query.New(storage.QueryableFunc(nil), query.Options{}).Instant(context.Background(), `cpu{hostname=web}`, time.Now())
	fmt.Println(err)
	// Output: the expression is wrong at line 1, column 14, near "web": unexpected identifier "web" in label matching, expected string
}
