package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

func TestTierRetention(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.MinuteRetention, o.HourRetention = 2*day, 60*day
	s := openStore(t, o)
	m := model{cpuOf("a"): {}}
	fill(t, s, m, 4*24*hour, minute, func(i int64) float64 { return float64(i) })
	setNow(s, start+4*24*hour)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	first, ok := s.tiers.minute.Start()
	if !ok || first < start+24*hour || first > start+3*24*hour {
		t.Errorf("minutes begin %d hours in", (first-start)/hour)
	}
	if first, ok := s.tiers.hour.Start(); !ok || first != start {
		t.Errorf("hours begin at %d, want %d", first, start)
	}
	setNow(s, start+100*24*hour)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.tiers.hour.Size() != 0 || s.tiers.minute.Size() != 0 || s.tiers.catalog.Len() != 0 {
		t.Errorf("left: %d and %d bytes, %d series", s.tiers.hour.Size(), s.tiers.minute.Size(), s.tiers.catalog.Len())
	}
}

// agedStore has six hours of samples in the minute tier, of which raw has kept
// only the newest.
func agedStore(t *testing.T) (s *Store, m model, oldest int64) {
	t.Helper()
	o := testOptions(t, t.TempDir())
	o.RawRetention, o.OutOfOrderWindow = 2*day/24, hour
	s = openStore(t, o)
	m = model{cpuOf("a"): {}}
	fill(t, s, m, 12*hour, 10*second, func(i int64) float64 { return float64(i % 60) })
	setNow(s, start+12*hour)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Retention drops a block only once there is a newer one.
	for range 2 {
		if err := s.raw.db.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	oldest, ok, err := s.raw.oldest()
	if err != nil || !ok || oldest <= start+hour {
		t.Fatalf("raw still begins %d minutes in: %v", (oldest-start)/minute, err)
	}
	return s, m, oldest
}

func TestRangeBeyondRaw(t *testing.T) {
	s, m, _ := agedStore(t)
	r := m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start, End: start + 30*minute - 1, MaxPoints: 500})
	if r.Tier != Minute || r.Step != minute || len(r.Series[0].Times) != 30 {
		t.Errorf("%v by %d, %d points", r.Tier, r.Step, len(r.Series[0].Times))
	}
	if r := m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start + 12*hour - 30*minute, End: start + 12*hour - 1, MaxPoints: 500}); r.Tier != Raw {
		t.Errorf("the newest half hour was read from %v", r.Tier)
	}
}

func TestQueryableBeyondRaw(t *testing.T) {
	s, m, oldest := agedStore(t)
	var all map[int64]float64
	for _, samples := range m {
		all = samples
	}
	read := func(from, to int64) (samples []sample, warned bool) {
		t.Helper()
		q, err := s.Queryable().Querier(from, to)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		set := q.Select(context.Background(), true, &storage.SelectHints{Start: from, End: to}, byType("cpu")...)
		var it chunkenc.Iterator
		for set.Next() {
			for it = set.At().Iterator(it); it.Next() == chunkenc.ValFloat; {
				at, v := it.At()
				samples = append(samples, sample{at, v})
			}
		}
		for _, w := range set.Warnings() {
			warned = warned || errors.Is(w, ErrAveraged)
		}
		return samples, warned
	}
	got, warned := read(start, start+12*hour)
	if !warned {
		t.Error("no warning")
	}
	i := 0
	for at := start; at+minute <= oldest; at += minute {
		b := bucketsOf(all, grid{origin: at, step: minute, count: 1, from: at, to: at + minute})
		if got[i].t != at+minute-1 || !near(got[i].v, b.Avg[0]) {
			t.Fatalf("minute %d is %v, want the average %v", i, got[i], b.Avg[0])
		}
		i++
	}
	for ; i < len(got); i++ {
		if v, ok := all[got[i].t]; !ok || v != got[i].v {
			t.Fatalf("%v is no raw sample", got[i])
		}
	}
	if got, warned := read(oldest, start+12*hour); warned || len(got) == 0 {
		t.Errorf("%d raw samples, warned %v", len(got), warned)
	}
}

func TestDamagedTierIsMadeAgain(t *testing.T) {
	o := testOptions(t, t.TempDir())
	s := openStore(t, o)
	m := model{cpuOf("a"): {}, cpuOf("b"): {}}
	fill(t, s, m, 3*hour, second, func(i int64) float64 { return float64(i) / 3 })
	setNow(s, start+3*hour+minute)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tier := range []string{"minute", "hour"} {
		files, err := filepath.Glob(filepath.Join(o.Dir, tier, "*.segment"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			damage(t, f, 0.999)
		}
	}
	s = openStore(t, o)
	eventually(t, "the tiers are made again", func() bool { return s.tiers.minute.Size() > 0 && s.tiers.hour.Size() > 0 })
	r := m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start, End: start + 3*hour - 1, MaxPoints: 3})
	if r.Tier != Hour {
		t.Errorf("read from %v", r.Tier)
	}
}

// TestDamagedBlockIsMadeAgain: damage to one series of a file holds up nothing, and
// what was lost is there again, in the hours too that were made meanwhile.
func TestDamagedBlockIsMadeAgain(t *testing.T) {
	o := testOptions(t, t.TempDir())
	s := openStore(t, o)
	m := model{cpuOf("a"): {}, cpuOf("b"): {}}
	fill(t, s, m, 3*hour, second, func(i int64) float64 { return float64(i) / 3 })
	setNow(s, start+30*minute)
	if err := s.RollUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, "minute", "*.segment"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	damage(t, files[0], 0.2)
	s = openStore(t, o)
	setNow(s, start+4*hour)
	for range 2 { // to find it, and to be sure that it stays mended
		if err := s.RollUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if end := s.tiers.hour.End(); end < start+3*hour {
		t.Errorf("the hours are written up to %d only", end-start)
	}
	for points, tier := range map[int]Tier{3: Hour, 180: Minute} {
		r := m.wantRange(t, s, RangeRequest{Matchers: byType("cpu"), Start: start, End: start + 3*hour - 1, MaxPoints: points})
		if r.Tier != tier {
			t.Errorf("%d points are read from %v", points, r.Tier)
		}
	}
}

// TestRangeOfYoungStore: a range that begins before there was anything is read
// in full detail, also when a late sample has had its hour written anew.
func TestRangeOfYoungStore(t *testing.T) {
	s := testStore(t)
	begin := start + 20*minute
	ref := s.Ref(cpuOf("a"))
	for at := begin; at < begin+45*minute; at += second {
		if at != begin+minute {
			mustAppend(t, s, Point{Ref: ref, Time: at, Value: 1})
		}
	}
	setNow(s, begin+45*minute)
	roll := func() {
		t.Helper()
		if err := s.RollUp(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		r, err := s.Range(context.Background(), RangeRequest{Matchers: []*labels.Matcher{everything}, Start: begin - 15*minute, End: begin + 45*minute})
		if err != nil {
			t.Fatal(err)
		}
		if r.Tier != Raw || r.Step != 10*second {
			t.Errorf("an hour is read from tier %v in steps of %d ms, want raw in 10 s", r.Tier, r.Step)
		}
	}
	roll()
	check()
	mustAppend(t, s, Point{Ref: ref, Time: begin + minute, Value: 1})
	setNow(s, begin+47*minute)
	roll()
	check()
}
