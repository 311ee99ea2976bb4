package store

import (
	"context"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/vitals-rpc/vitals/metric"
)

func TestSeriesAndHosts(t *testing.T) {
	s := testStore(t)
	ctx := context.Background()
	a, b := cpuOf("a"), metric.NewSeries("disk_used", "b", metric.NewLabels("mount", "/"))
	mustAppend(t, s, Point{s.Ref(a), start + 5, 1}, Point{s.Ref(a), start + 3*hour + 7, 1})
	setNow(s, start+3*hour)
	if err := s.RollUp(ctx); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, Point{s.Ref(b), start + 4*hour, 1})
	late := cpuOf("late")
	mustAppend(t, s, Point{s.Ref(late), start + hour + 1, 1})
	f := func(from, to int64, want []*metric.Series, matchers ...*labels.Matcher) {
		t.Helper()
		got, err := s.Series(ctx, start+from, start+to, matchers...)
		equal := slices.EqualFunc(got, want, func(a, b *metric.Series) bool { return a.Key() == b.Key() })
		if err != nil || !equal {
			t.Errorf("%d to %d: %v, %v; want %v", from, to, got, err, want)
		}
	}
	f(0, 5*hour, []*metric.Series{a, late, b})
	f(0, 5*hour, []*metric.Series{a, late}, byType("cpu")...)
	f(4*hour, 5*hour, []*metric.Series{b})
	f(9*hour, 10*hour, nil)

	check := func(aFirst int64) {
		t.Helper()
		got, err := s.Hosts(ctx)
		want := []HostSpan{{"a", aFirst, start + 3*hour + 7}, {"b", start + 4*hour, start + 4*hour}, {"late", start + hour + 1, start + hour + 1}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("hosts: %v, %v; want %v", got, err, want)
		}
	}
	check(start)
	if err := s.mend(ctx, maxTime); err != nil {
		t.Fatal(err)
	}
	got, err := s.Hosts(ctx)
	if err != nil || len(got) != 3 || got[2] != (HostSpan{"late", start + hour, start + hour + minute - 1}) {
		t.Errorf("hosts: %v, %v", got, err)
	}
}

func TestStats(t *testing.T) {
	s := testStore(t)
	mustAppend(t, s, Point{s.Ref(cpuOf("a")), start, 1}, Point{s.Ref(cpuOf("a")), start, 1}, Point{s.Ref(cpuOf("a")), start, 2})
	st := s.Stats()
	if st.Stored != 1 || st.Duplicates != 1 || st.Rejected != 1 || st.Series != 1 || st.Refs != 1 || st.Oldest != start || st.Newest != start {
		t.Errorf("%+v", st)
	}
	if err := s.Health(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(context.Background(), []Point{{s.Ref(cpuOf("a")), start, 1}}); err != ErrClosed {
		t.Errorf("appending to a closed store: %v", err)
	}
	if _, err := s.Range(context.Background(), RangeRequest{Matchers: byType("cpu"), Start: start, End: start}); err == nil {
		t.Error("reading a closed store")
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
