package store

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/vitals-rpc/vitals/metric"
)

func TestAppendDuplicates(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t, dir)
	s := openStore(t, o)
	setNow(s, start+26*hour)
	a := cpuOf("a")
	ref := s.Ref(a)
	if s.Ref(cpuOf("a")) != ref {
		t.Fatal("two Refs for equal series")
	}
	f := func(at int64, v float64, stored, duplicates int, reason error) {
		t.Helper()
		r := mustAppend(t, s, Point{s.Ref(a), start + at, v})
		if r.Stored != stored || r.Duplicates != duplicates {
			t.Errorf("point at %d: %+v, want %d stored and %d duplicates", at, r, stored, duplicates)
		}
		if reason != nil && (len(r.Rejected) != 1 || !errors.Is(r.Rejected[0].Reason, reason)) {
			t.Errorf("point at %d: %+v, want it refused by %v", at, r, reason)
		}
	}
	f(0, 1, 1, 0, nil)
	f(0, 1, 0, 1, nil)         // the newest
	f(0, 2, 0, 0, ErrConflict) // the newest, another value
	f(10_000, 2, 1, 0, nil)    // opens a gap
	f(5_000, 3, 1, 0, nil)     // late, in the gap
	f(5_000, 3, 0, 1, nil)     // late and known
	f(5_000, 4, 0, 0, ErrConflict)
	f(0, 1, 0, 1, nil)         // old, in order
	f(0, 9, 0, 0, ErrConflict) //
	f(3_000, 5, 1, 0, nil)     // before what filled the gap
	f(7_000, math.NaN(), 0, 0, metric.ErrNotFinite)
	f(26*hour, 1, 1, 0, nil)
	f(1*hour, 1, 0, 0, ErrTooOld)
	f(5_000, 3, 0, 1, nil) // stored, though too old by now
	want := []sample{{start, 1}, {start + 3_000, 5}, {start + 5_000, 3}, {start + 10_000, 2}, {start + 26*hour, 1}}
	wantRaw(t, s, a, want...)

	check := func() {
		t.Helper()
		for _, w := range want {
			f(w.t-start, w.v, 0, 1, nil)
			f(w.t-start, w.v+1, 0, 0, ErrConflict)
		}
		wantRaw(t, s, a, want...)
	}
	check()
	if err := s.raw.db.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.raw.db.CompactOOOHead(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(s.raw.db.Blocks()) == 0 {
		t.Fatal("nothing was compacted")
	}
	s.epoch.Add(1) // nothing is known any more
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	check()
}

func TestAppendBatch(t *testing.T) {
	s := testStore(t)
	a, b := s.Ref(cpuOf("a")), s.Ref(cpuOf("b"))
	r := mustAppend(t, s,
		Point{a, start + 10, 1}, Point{b, start + 10, 2}, Point{a, start + 11, 3},
		Point{a, start + 10, 1},          // again
		Point{a, start + 5, 4},           // late
		Point{a, start + 5, 4},           // late and again
		Point{a, start + 5, 5},           // and otherwise
		Point{a, start + 7, math.Inf(1)}, // no number
		Point{b, start + 9, 6}, Point{b, start + 8, 7}, Point{b, start + 9, 6},
	)
	if r.Stored != 6 || r.Duplicates != 3 || len(r.Rejected) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, rejected := range r.Rejected {
		if rejected.Index != 6 && rejected.Index != 7 {
			t.Errorf("refused: %+v", rejected)
		}
	}
	wantRaw(t, s, a.Series(), sample{start + 5, 4}, sample{start + 10, 1}, sample{start + 11, 3})
	wantRaw(t, s, b.Series(), sample{start + 8, 7}, sample{start + 9, 6}, sample{start + 10, 2})
}

func TestSweptRefStaysGood(t *testing.T) {
	s := testStore(t)
	old := s.Ref(cpuOf("a"))
	mustAppend(t, s, Point{old, start, 1})
	if n := s.refs.sweep(start+1, &s.stripes); n != 1 {
		t.Fatalf("%d Refs swept", n)
	}
	fresh := s.Ref(cpuOf("a"))
	if fresh == old {
		t.Fatal("the Ref was not dropped")
	}
	mustAppend(t, s, Point{fresh, start + 2, 2})
	r := mustAppend(t, s, Point{old, start + 1, 3}, Point{old, start + 2, 2}, Point{old, start, 1})
	if r.Stored != 1 || r.Duplicates != 2 {
		t.Fatalf("%+v", r)
	}
	wantRaw(t, s, cpuOf("a"), sample{start, 1}, sample{start + 1, 3}, sample{start + 2, 2})
}

func TestMarksSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mend.log")
	l, err := openMarkLog(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := mark{"a", start}, mark{"b", start + hour}
	touch := func(ms ...mark) {
		t.Helper()
		for _, m := range ms {
			if err := l.touch(map[mark]struct{}{m: {}}, 5); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(ms ...mark) {
		t.Helper()
		for range 2 { // as it is, and as it is read again
			got := l.snapshot()
			if len(got) != len(ms) {
				t.Fatalf("marks are %v, want %v", got, ms)
			}
			for _, m := range ms {
				if len(got[m.host]) != 1 || got[m.host][0] != m.hour {
					t.Fatalf("marks are %v, want %v", got, ms)
				}
			}
			if err := l.close(); err != nil {
				t.Fatal(err)
			}
			if l, err = openMarkLog(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer func() { l.close() }()
	touch(a, b, a)
	want(a, b)
	touch(a, b)
	taken := l.take(5)
	if len(taken) != 2 {
		t.Fatalf("taken %v", taken)
	}
	touch(a) // while it is being mended
	if err := l.mended(taken); err != nil {
		t.Fatal(err)
	}
	want(a)
	if err := l.mended(l.take(maxTime)); err != nil {
		t.Fatal(err)
	}
	want()
	if l.size != 0 {
		t.Errorf("the empty log has %d bytes", l.size)
	}
}
