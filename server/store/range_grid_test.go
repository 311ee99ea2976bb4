package store

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestRangeGrid lays out the buckets of any range at all.
func TestRangeGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyTime := rapid.OneOf(
			rapid.Int64(), rapid.Int64Range(-3*hour, 3*hour), rapid.Int64Range(0, 4e12),
			rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, -1, 0, 1, start, start + 24*hour}),
		)
		length := rapid.OneOf(rapid.Int64Range(0, math.MaxInt64), rapid.Int64Range(0, 400*24*hour), rapid.Int64Range(0, 1000))
		r := RangeRequest{Start: within(anyTime.Draw(t, "start")), MaxPoints: rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, 10_000), rapid.IntRange(1, math.MaxInt)).Draw(t, "points")}
		r.End = within(r.Start + min(length.Draw(t, "length"), farthest-r.Start))
		preferred := r.tier()
		for tier := Raw; tier <= Hour; tier++ {
			g := r.grid(tier)
			unit := max(tier.Step(), 1)
			switch {
			case g.step < 1 || g.count < 1 || g.count > int64(r.MaxPoints):
				t.Fatalf("%+v from %v: %+v", r, tier, g)
			case g.from > r.Start || r.Start-g.from >= unit || g.to < r.End || g.to-r.End > unit:
				t.Fatalf("%+v from %v reads %+v", r, tier, g)
			case r.MaxPoints > 1 && (g.step%unit != 0 || g.origin%g.step != 0):
				t.Fatalf("%+v from %v is not aligned: %+v", r, tier, g)
			}
			for _, at := range []int64{g.from, r.Start, r.Start + (g.to-r.Start)/2, g.to - 1} {
				b := g.bucket(at)
				if b < 0 || b >= g.count || at < g.start(b)-g.step || at > g.start(b+1) {
					t.Fatalf("%+v from %v has %d in bucket %d of %+v", r, tier, at, b, g)
				}
			}
			// Half of the points asked for, if the tier has as many.
			if most := r.most(); tier == preferred && tier > Raw && (r.End-r.Start+1)/most < unit && g.step > unit {
				t.Fatalf("%+v takes %v for %+v", r, tier, g)
			}
		}
	})
}

// TestRangeTierChoice has what people ask for.
func TestRangeTierChoice(t *testing.T) {
	f := func(length int64, points int, tier Tier, step, count int64) {
		t.Helper()
		for _, begin := range []int64{start, start + 17*minute + 1234} {
			for _, last := range []int64{0, 1} { // the end, included or not
				r := RangeRequest{Start: begin, End: begin + length - last, MaxPoints: points}
				g := r.grid(r.tier())
				if r.tier() != tier || g.step != step || g.count < count || g.count > count+2 {
					t.Errorf("%d ms from %d in %d points: %v by %d, %d points; want %v by %d, %d or two more", length, begin, points, r.tier(), g.step, g.count, tier, step, count)
				}
			}
		}
	}
	f(24*hour, 1440, Minute, minute, 1440)
	f(24*hour, 1500, Minute, minute, 1440)
	f(24*hour, 500, Minute, 3*minute, 480)
	f(24*hour, 24, Hour, hour, 24)
	f(24*hour, 100, Minute, 15*minute, 96)
	f(8*hour+hour/2, 500, Minute, 2*minute, 255)
	f(hour, 3600, Raw, second, 3600)
	f(hour, 500, Raw, 10*second, 360)
	f(hour, 60, Minute, minute, 60)
	f(7*24*hour, 100, Minute, 101*minute, 100)
	f(30*24*hour, 720, Hour, hour, 720)
	f(30*24*hour, 700, Hour, 2*hour, 360)
	f(30*24*hour, 600, Hour, 2*hour, 360)
	f(30*24*hour, 500, Hour, 2*hour, 360)
	f(30*24*hour, 1000, Minute, 44*minute, 981)
	f(365*24*hour, 500, Hour, 18*hour, 487)
}
