package store_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
	"github.com/vitals-rpc/vitals/server/store/storetest"
)

// history appends samples by their series.
type history struct{ *store.Store }

func (h history) Append(ctx context.Context, samples []metric.Sample) (store.AppendResult, error) {
	points := make([]store.Point, len(samples))
	for i, s := range samples {
		points[i] = store.Point{Ref: h.Ref(s.Series), Time: s.Time, Value: s.Value}
	}
	return h.Store.Append(ctx, points)
}

func TestContract(t *testing.T) {
	f := func(name string, rollUp bool) {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(tb testing.TB, dir string) storetest.History {
				s, err := store.Open(context.Background(), store.Options{Dir: dir, MinFree: 1})
				if err != nil {
					tb.Fatal(err)
				}
				if rollUp {
					return rolledUp{history{s}}
				}
				return history{s}
			})
		})
	}
	f("raw", false)
	f("rolled up", true)
}

// rolledUp rolls up after every batch.
type rolledUp struct{ history }

func (h rolledUp) Append(ctx context.Context, samples []metric.Sample) (store.AppendResult, error) {
	r, err := h.history.Append(ctx, samples)
	if err == nil && len(samples) > 50 {
		err = h.RollUp(ctx)
	}
	return r, err
}

func Example() {
	dir, err := os.MkdirTemp("", "vitals-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ref := s.Ref(metric.NewSeries("queue_depth", "web-1", nil)) // keep it beside the series
	noon := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	batch := []store.Point{{Ref: ref, Time: noon, Value: 7}, {Ref: ref, Time: noon + 1000, Value: 9}}
	for range 2 { // a retry never harms
		r, err := s.Append(ctx, batch)
		fmt.Println(r.Stored, "stored,", r.Duplicates, "duplicates", err)
	}
	answer, err := s.Range(ctx, store.RangeRequest{
		Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "hostname", "web-1")},
		Start:    noon, End: noon + 59_999, MaxPoints: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, series := range answer.Series {
		fmt.Println(series.Series, "avg", series.Avg, "max", series.Max, "of", series.Count)
	}
	// Output:
	// 2 stored, 0 duplicates <nil>
	// 0 stored, 2 duplicates <nil>
	// queue_depth{hostname="web-1"} avg [8] max [9] of [2]
}
