package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitals-rpc/vitals/server/query"
)

// TestTogether appends, rolls up, asks and recovers all at once; the race
// detector and the model judge.
func TestTogether(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.Registerer = prometheus.NewRegistry()
	s := openStore(t, o)
	ctx := context.Background()
	const hosts, rounds = 4, 300
	m := model{}
	var mu sync.Mutex
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	for host := range hosts {
		writers.Go(func() {
			series := cpuOf(fmt.Sprint("host-", host))
			want := map[int64]float64{}
			for i := range int64(rounds) {
				at := start + i*20*second
				batch := []Point{{s.Ref(series), at, float64(i)}, {s.Ref(series), at - 15*second, float64(-i)}}
				for {
					_, err := s.Append(ctx, batch)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrUnavailable) {
						t.Error(err)
						return
					}
					time.Sleep(time.Millisecond)
				}
				want[at], want[at-15*second] = float64(i), float64(-i)
				if host == 0 {
					setNow(s, at)
				}
				if host == 1 && i%100 == 50 {
					s.raw.walFailed.Store(true) // as after a failed write
				}
			}
			mu.Lock()
			defer mu.Unlock()
			m[series] = want
		})
	}
	others.Go(func() {
		engine := query.New(s.Queryable(), query.Options{})
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := s.RollUp(ctx); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
			if _, err := s.Range(ctx, RangeRequest{Matchers: byType("cpu"), Start: start, End: start + 2*hour, MaxPoints: 60}); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
			if _, err := engine.Instant(ctx, `sum(max_over_time(cpu[1h]))`, time.UnixMilli(start+hour)); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	close(done)
	others.Wait()
	eventually(t, "the store recovers", func() bool { return s.Health() == nil })
	for _, keep := range []bool{false, true} {
		if keep {
			setNow(s, start+3*hour)
			if err := s.RollUp(ctx); err != nil {
				t.Fatal(err)
			}
		}
		m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start - minute, End: start + 2*hour, MaxPoints: 100})
		m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start - minute, End: start + 2*hour, MaxPoints: 10_000})
	}
}

// TestTwoWritersOfOneSeries appends to the same new series from two goroutines,
// as two agents under one name do: each sample is stored once, and the race
// detector sees nothing.
func TestTwoWritersOfOneSeries(t *testing.T) {
	s := testStore(t)
	const series = 200
	var writers sync.WaitGroup
	var stored, duplicates [2]int
	for writer := range stored {
		writers.Go(func() {
			for i := range series {
				ref := s.Ref(cpuOf(fmt.Sprint("host-", i)))
				result, err := s.Append(context.Background(), []Point{{ref, start, 1}})
				if err != nil {
					t.Error(err)
					return
				}
				stored[writer] += result.Stored
				duplicates[writer] += result.Duplicates
			}
		})
	}
	writers.Wait()
	if got := stored[0] + stored[1]; got != series {
		t.Errorf("%d stored, want %d", got, series)
	}
	if got := duplicates[0] + duplicates[1]; got != series {
		t.Errorf("%d duplicates, want %d", got, series)
	}
}

// TestCloseWaitsForQueriers holds a querier open while the store closes.
func TestCloseWaitsForQueriers(t *testing.T) {
	s := testStore(t)
	mustAppend(t, s, Point{s.Ref(cpuOf("a")), start, 1})
	q, err := s.Queryable().Querier(start, start+1)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed under a reader: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if set := q.Select(context.Background(), false, nil, byType("cpu")...); !set.Next() {
		t.Error("nothing to read")
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

// TestPromQLWarns asks beyond what raw holds.
func TestPromQLWarns(t *testing.T) {
	s, _, oldest := agedStore(t)
	engine := query.New(s.Queryable(), query.Options{})
	f := func(at int64, warned bool) {
		t.Helper()
		r, err := engine.Instant(context.Background(), `avg_over_time(cpu[10m])`, time.UnixMilli(at))
		if err != nil || len(r.Series) != 1 || len(r.Series[0].Points) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		got := strings.Contains(strings.Join(r.Warnings, " "), ErrAveraged.Error())
		if got != warned {
			t.Errorf("warnings %q, want one: %v", r.Warnings, warned)
		}
	}
	f(start+30*minute-1, true)
	f(oldest+hour, false)
}

// TestOpenTwiceWithOneRegisterer opens store after store with one Registerer.
func TestOpenTwiceWithOneRegisterer(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 3 {
		o := testOptions(t, t.TempDir())
		o.Registerer = registry
		s := openStore(t, o)
		found, err := registry.Gather()
		if err != nil || len(found) < 10 {
			t.Fatalf("%d metrics, %v", len(found), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
