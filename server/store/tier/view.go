package tier

import (
	"slices"
	"sort"
)

// View is the tier as it was at one moment: what is merged or expired later
// stays readable in it. Close it soon. It may be read by many goroutines.
type View struct {
	tier *Tier
	// End is the tier's end when the view was made.
	End      int64
	segments []*segment
}

// View returns the segments with buckets from [from, to), in milliseconds.
func (t *Tier) View(from, to int64) *View {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := &View{tier: t, End: t.end}
	for _, s := range t.segments {
		if s.from < to && s.to > from {
			s.readers++
			v.segments = append(v.segments, s)
		}
	}
	return v
}

// Read appends the series' buckets that start in [from, to) to out, in the
// order of time, each bucket once. Out is to be empty. What is damaged is left out,
// and told by [Tier.Damaged].
func (v *View) Read(id ID, from, to int64, out *Columns) {
	for _, s := range v.segments {
		if s.from >= to || s.to <= from {
			continue
		}
		v.tier.read(s, id, from, to, out)
	}
	out.Merge()
}

// Has says whether the series has a bucket in one of the view's segments.
func (v *View) Has(id ID) bool {
	for _, s := range v.segments {
		if i := sort.Search(s.count, func(i int) bool { return s.id(i) >= id }); i < s.count && s.id(i) == id {
			return true
		}
	}
	return false
}

// Close gives the segments back.
func (v *View) Close() {
	v.tier.mu.Lock()
	defer v.tier.mu.Unlock()
	for _, s := range v.segments {
		s.readers--
		v.tier.drop(s)
	}
	v.segments = nil
}

// IDs returns the series with a bucket in one of the view's segments, in order.
func (v *View) IDs() (ids []ID) {
	for _, s := range v.segments {
		for i := range s.count {
			ids = append(ids, s.id(i))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
