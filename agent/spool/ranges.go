package spool

import (
	"math"
	"slices"
	"sort"
)

// span is the positions from from up to, but not including, to.
type span struct{ from, to Position }

// rangeSet is a set of positions as sorted spans that neither overlap nor touch.
// The zero value is the empty set. It is not safe for concurrent use.
type rangeSet struct {
	spans []span
	count uint64 // positions in the set
}

// add puts [from,to) into the set and returns how many positions are new to it.
func (r *rangeSet) add(from, to Position) uint64 {
	if from >= to {
		return 0
	}
	// The spans i to j-1 overlap or touch the new one: they become one.
	i := sort.Search(len(r.spans), func(i int) bool { return r.spans[i].to >= from })
	j := i
	added := uint64(to - from)
	merged := span{from, to}
	for ; j < len(r.spans) && r.spans[j].from <= to; j++ {
		old := r.spans[j]
		if lo, hi := max(old.from, from), min(old.to, to); lo < hi {
			added -= uint64(hi - lo)
		}
		merged = span{min(merged.from, old.from), max(merged.to, old.to)}
	}
	r.spans = slices.Replace(r.spans, i, j, merged)
	r.count += added
	return added
}

// gap returns the first run of positions at or after p that are not in the set.
// The last gap has no end: its to is the highest Position there is.
func (r *rangeSet) gap(p Position) span {
	i := sort.Search(len(r.spans), func(i int) bool { return r.spans[i].to > p })
	if i < len(r.spans) && r.spans[i].from <= p {
		p = r.spans[i].to
		i++
	}
	if i < len(r.spans) {
		return span{p, r.spans[i].from}
	}
	return span{p, math.MaxUint64}
}

// covers tells whether all of [from,to) is in the set.
func (r *rangeSet) covers(from, to Position) bool { return r.gap(from).from >= to }

// end returns one past the highest position in the set, or 0.
func (r *rangeSet) end() Position {
	if len(r.spans) == 0 {
		return 0
	}
	return r.spans[len(r.spans)-1].to
}
