package tier

import "encoding/binary"

// Extent returns, for each group of series, the start of its first and of its
// last bucket. Group names a series' group; ok false leaves the series out.
// Blocks are looked into only where a group may begin or end.
func (v *View) Extent(group func(ID) (name string, ok bool)) (map[string][2]int64, error) {
	extent := map[string][2]int64{}
	for _, s := range v.segments {
		for i := range s.count {
			id := s.id(i)
			name, ok := group(id)
			if !ok {
				continue
			}
			e, known := extent[name]
			if known && e[0] <= s.from && e[1] >= s.to-s.step {
				continue // it can neither begin earlier nor end later here
			}
			first, last, err := s.span(id)
			if err != nil {
				return nil, err
			}
			if !known {
				e = [2]int64{first, last}
			}
			extent[name] = [2]int64{min(e[0], first), max(e[1], last)}
		}
	}
	return extent, nil
}

// span is the start of the series' first and last bucket.
func (s *segment) span(id ID) (first, last int64, err error) {
	block, err := s.block(id)
	if err != nil {
		return 0, 0, err
	}
	r := reader{buf: block}
	n := int64(r.uvarint())
	first = s.base + int64(r.uvarint())*s.step
	dense := r.byte() == 1
	if r.failed || n < 1 || n > mostBuckets {
		return 0, 0, errDamaged
	}
	if dense {
		return first, first + (n-1)*s.step, nil
	}
	last = first
	for range n - 1 {
		gap, w := binary.Uvarint(r.buf)
		if w <= 0 {
			return 0, 0, errDamaged
		}
		r.buf = r.buf[w:]
		last += int64(gap) * s.step
	}
	return first, last, nil
}
