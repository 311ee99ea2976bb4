package ingest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"
)

// define gives the host's series the numbers from 0 on.
func define(tb rapid.TB, s *Session, n int) {
	tb.Helper()
	for i := range n {
		if err := s.Define(uint32(i), series(s.Host(), i), metric.Type{Name: "m"}, nil); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestRoundsTogether: what becomes of rounds does not depend on how many come
// together, whichever series they have, in whatever order and however often.
func TestRoundsTogether(t *testing.T) {
	const known = 5 // series; what has a greater number is not defined
	h, host := newHouse(t, nil), 0
	rapid.Check(t, func(rt *rapid.T) {
		host++
		value := rapid.SampledFrom([]float64{0, 1, 2.5, math.NaN(), math.Inf(1)})
		ids := rapid.SliceOfN(rapid.Uint32Range(0, known), 0, 6)
		same := ids.Draw(rt, "usual series")
		at := h.at(20 * time.Second)
		rounds := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) Round {
			r := Round{Time: at, IDs: same}
			if rapid.IntRange(0, 3).Draw(rt, "other series") == 0 {
				r.IDs = ids.Draw(rt, "series")
			}
			for range r.IDs {
				r.Values = append(r.Values, value.Draw(rt, "value"))
			}
			at += rapid.SampledFrom([]int64{0, 1000, 1000, 1000, 60_000, -2000}).Draw(rt, "step")
			return r
		}), 1, 12).Draw(rt, "rounds")

		take := func(name string, together bool) (Receipt, []metric.Sample) {
			s := h.session(t, name)
			define(rt, s, known)
			if together {
				s.Add(rounds...)
			} else {
				for _, r := range rounds {
					s.Add(r)
				}
			}
			if err := s.Flush(t.Context()); err != nil {
				rt.Fatal(err)
			}
			got, err := s.Receipt()
			if err != nil {
				rt.Fatal(err)
			}
			return got, h.hub.Snapshot(metric.Selector{Hosts: metric.Match{Names: []string{name}}})
		}
		one, oneLive := take(fmt.Sprintf("one-%d", host), false)
		all, allLive := take(fmt.Sprintf("all-%d", host), true)
		if one.Stored != all.Stored || one.Duplicates != all.Duplicates || one.Rejected != all.Rejected {
			rt.Fatalf("one by one %+v\ntogether %+v", one, all)
		}
		reasons := func(r Receipt) map[uint64]string {
			m := map[uint64]string{}
			for _, refused := range r.Rejections {
				m[refused.Index] = refused.Reason.Error()
			}
			return m
		}
		if a, b := reasons(one), reasons(all); !maps.Equal(a, b) {
			rt.Fatalf("refused one by one %v\ntogether %v", a, b)
		}
		if !slices.EqualFunc(oneLive, allLive, func(a, b metric.Sample) bool { return a.Time == b.Time && a.Value == b.Value }) {
			rt.Fatalf("live one by one %v\ntogether %v", oneLive, allLive)
		}
	})
}

// TestManyRoundsOfARepeatedSeries are looked at once each: in pairs it would take a
// minute and more.
func TestManyRoundsOfARepeatedSeries(t *testing.T) {
	h := newHouse(t, nil)
	s := h.session(t, "web-1")
	ids, values := []uint32{0, 0}, []float64{1, 1}
	rounds := make([]Round, 300_000)
	for i := range rounds {
		rounds[i] = Round{h.at(time.Hour) + int64(i), ids, values}
	}
	define(t, s, 1)
	s.Add(rounds...)
	if got := s.batch.size(); got != 2*len(rounds) {
		t.Errorf("%d samples wait; want %d", got, 2*len(rounds))
	}
}

// TestLiveOfABacklog: subscribers get every round, oldest first, however old it is.
func TestLiveOfABacklog(t *testing.T) {
	f := func(host string, age time.Duration, want ...string) {
		t.Helper()
		h := newHouse(t, nil)
		sub := h.hub.Subscribe()
		defer sub.Close()
		s := h.session(t, host)
		define(t, s, 2)
		var rounds []Round
		for i := range 3 {
			rounds = append(rounds, Round{h.at(age) + int64(i)*1000, []uint32{0, 1}, []float64{float64(i), float64(10 + i)}})
		}
		s.Add(rounds...)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		samples, _, err := sub.Next(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, sample := range samples {
			got = append(got, fmt.Sprintf("%ds %v", (sample.Time-h.at(age))/1000, sample.Value))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v old: %v; want %v", age, got, want)
		}
		if got, err := s.Receipt(); err != nil || got.Stored != 6 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	f("web-1", 10*time.Second, "0s 0", "0s 10", "1s 1", "1s 11", "2s 2", "2s 12")
	f("web-1", time.Hour, "0s 0", "0s 10", "1s 1", "1s 11", "2s 2", "2s 12")
}

// TestDefineAgain: a series is known by its spelling to the later sessions of its
// host, to no other host, and no longer than its host may have it.
func TestDefineAgain(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSeriesPerHost = 2 })
	spelling, other := new(int), new(int)
	s := h.session(t, "web-1")
	if s.DefineAgain(0, spelling) {
		t.Error("known before it was defined")
	}
	if err := s.Define(0, series("web-1", 0), metric.Type{Name: "m"}, spelling); err != nil {
		t.Fatal(err)
	}
	if err := s.Define(1, metric.NewSeries("no-name", "web-1", nil), metric.Type{}, other); err != nil {
		t.Fatal(err)
	}
	later := h.session(t, "web-1")
	if !later.DefineAgain(3, spelling) {
		t.Error("not known to the next session")
	}
	if later.DefineAgain(4, other) || later.DefineAgain(maxNumbers, spelling) || h.session(t, "web-2").DefineAgain(0, spelling) {
		t.Error("known though refused, beyond the last number, or of another host")
	}
	later.Add(Round{h.at(0), []uint32{3}, []float64{7}})
	if err := later.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := h.hub.Latest("web-1", "m"); err != nil || got.Value != 7 {
		t.Errorf("live is %v, %v", got, err)
	}
	h.now = h.now.Add(2 * time.Hour)
	for n := range 2 { // take the place of what is idle
		if err := later.Define(uint32(n), series("web-1", 10+n), metric.Type{Name: "m"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if later.DefineAgain(3, spelling) {
		t.Error("known though forgotten")
	}
}

// TestNewestUnitHolds, also that of a sender who goes back to an earlier one.
func TestNewestUnitHolds(t *testing.T) {
	h := newHouse(t, nil)
	spellings := map[metric.Unit]*int{"jobs": new(int), "tasks": new(int)}
	for _, unit := range []metric.Unit{"jobs", "tasks", "jobs"} {
		s := h.session(t, "web-1")
		if !s.DefineAgain(0, spellings[unit]) {
			if err := s.Define(0, series("web-1", 0), metric.Type{Name: "m", Unit: unit}, spellings[unit]); err != nil {
				t.Fatal(err)
			}
		}
		if got := h.fleet.Unit("m"); got != unit {
			t.Errorf("the unit is %q; want %q", got, unit)
		}
	}
}

// TestSpellingsAreBounded: a sender who spells its series anew in each stream does
// not fill the memory.
func TestSpellingsAreBounded(t *testing.T) {
	h := newHouse(t, nil)
	s := h.session(t, "web-1")
	for i := range 1000 {
		if err := s.Define(0, series("web-1", i%10), metric.Type{Name: "m"}, new(int)); err != nil {
			t.Fatal(err)
		}
		if n := len(s.host.spelled); n > 10 {
			t.Fatalf("%d spellings of 10 series", n)
		}
	}
}

var _ Live = (*live.Hub)(nil)
