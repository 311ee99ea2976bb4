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

	"github.com/prometheus/prometheus/storage"
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

func TestStorageError(t *testing.T) {
	broken := storage.QueryableFunc(func(int64, int64) (storage.Querier, error) { return nil, store.ErrUnavailable })
	_, err := query.New(broken, query.Options{}).Instant(context.Background(), `cpu`, begin)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func ExampleEngine_Instant() {
	_, err := query.New(storage.QueryableFunc(nil), query.Options{}).Instant(context.Background(), `cpu{hostname=web}`, time.Now())
	fmt.Println(err)
	// Output: the expression is wrong at line 1, column 14, near "web": unexpected identifier "web" in label matching, expected string
}
