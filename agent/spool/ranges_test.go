package spool

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRangeSet holds the set against a plain array of bools.
func TestRangeSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 64
		var (
			set  rangeSet
			want [size]bool
		)
		for range rapid.IntRange(1, 40).Draw(t, "adds") {
			from := rapid.IntRange(0, size).Draw(t, "from")
			to := rapid.IntRange(0, size).Draw(t, "to")
			added := uint64(0)
			for i := from; i < to; i++ {
				if !want[i] {
					want[i] = true
					added++
				}
			}
			if got := set.add(Position(from), Position(to)); got != added {
				t.Fatalf("add(%d, %d) = %d, want %d", from, to, got, added)
			}
			checkRangeSet(t, &set, want[:])
		}
	})
}

func checkRangeSet(t *rapid.T, set *rangeSet, want []bool) {
	count, end := uint64(0), Position(0)
	for i, in := range want {
		if in {
			count++
			end = Position(i + 1)
		}
		gap := i
		for gap < len(want) && want[gap] {
			gap++
		}
		if got := set.gap(Position(i)); got.from != Position(gap) {
			t.Fatalf("gap(%d) = %v, want one from %d; set %v", i, got, gap, set.spans)
		}
		for j := gap; j < len(want) && Position(j) < set.gap(Position(i)).to; j++ {
			if want[j] {
				t.Fatalf("gap(%d) has %d, which is in the set %v", i, j, set.spans)
			}
		}
		if got := set.covers(Position(i), Position(i+1)); got != in {
			t.Fatalf("covers(%d, %d) = %v", i, i+1, got)
		}
	}
	if set.count != count || set.end() != end {
		t.Fatalf("count %d, end %d; want %d and %d", set.count, set.end(), count, end)
	}
	for i := 1; i < len(set.spans); i++ {
		if set.spans[i-1].to >= set.spans[i].from {
			t.Fatalf("spans touch: %v", set.spans)
		}
	}
}
