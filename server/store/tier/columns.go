package tier

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Columns are buckets of one series, one slice a field, all of one length and
// in the order of time.
type Columns struct {
	// Start is when each bucket begins, in milliseconds.
	Start []int64
	// Count is how many samples it holds, at least one.
	Count []uint32
	// Min, Max, Sum and Last are of its samples.
	Min, Max, Sum, Last []float64
	// SkipLast leaves Last zero in what is read, which spares its decoding.
	SkipLast bool
}

// Len is the number of buckets.
func (c *Columns) Len() int { return len(c.Start) }

// Reset empties the columns and keeps their memory.
func (c *Columns) Reset() { c.truncate(0) }

func (c *Columns) truncate(n int) {
	c.Start, c.Count = c.Start[:n], c.Count[:n]
	c.Min, c.Max, c.Sum, c.Last = c.Min[:n], c.Max[:n], c.Sum[:n], c.Last[:n]
}

// grow makes room for n more buckets and counts them in; the caller fills them.
func (c *Columns) grow(n int) {
	m := c.Len() + n
	c.Start, c.Count = slices.Grow(c.Start, n)[:m], slices.Grow(c.Count, n)[:m]
	c.Min, c.Max = slices.Grow(c.Min, n)[:m], slices.Grow(c.Max, n)[:m]
	c.Sum, c.Last = slices.Grow(c.Sum, n)[:m], slices.Grow(c.Last, n)[:m]
}

// Add folds a sample into the bucket of that start. Samples come in the order
// of time.
func (c *Columns) Add(start int64, value float64) {
	i := c.Len() - 1
	if i < 0 || c.Start[i] != start {
		c.Append(Bucket{Start: start, Count: 1, Min: value, Max: value, Sum: value, Last: value})
		return
	}
	c.Count[i]++
	c.Min[i], c.Max[i] = min(c.Min[i], value), max(c.Max[i], value)
	c.Sum[i] += value
	c.Last[i] = value
}

// Bucket is one row of the columns.
type Bucket struct {
	Start               int64
	Count               uint32
	Min, Max, Sum, Last float64
}

// Append adds a bucket behind the last.
func (c *Columns) Append(b Bucket) {
	c.Start, c.Count = append(c.Start, b.Start), append(c.Count, b.Count)
	c.Min, c.Max = append(c.Min, b.Min), append(c.Max, b.Max)
	c.Sum, c.Last = append(c.Sum, b.Sum), append(c.Last, b.Last)
}

// At returns a row.
func (c *Columns) At(i int) Bucket {
	return Bucket{c.Start[i], c.Count[i], c.Min[i], c.Max[i], c.Sum[i], c.Last[i]}
}

// Fold makes wider buckets of c and appends them to out.
func (c *Columns) Fold(step int64, out *Columns) {
	for i := range c.Start {
		b := c.At(i)
		b.Start = floor(b.Start, step)
		last := out.Len() - 1
		if last < 0 || out.Start[last] != b.Start {
			out.Append(b)
			continue
		}
		out.Count[last] += b.Count
		out.Min[last], out.Max[last] = min(out.Min[last], b.Min), max(out.Max[last], b.Max)
		out.Sum[last] += b.Sum
		out.Last[last] = b.Last
	}
}

// Merge puts the buckets in order and leaves of those with one start the one
// with the most samples. Columns that are in order already cost one look.
func (c *Columns) Merge() {
	ordered := true
	for i := 1; i < len(c.Start) && ordered; i++ {
		ordered = c.Start[i-1] < c.Start[i]
	}
	if ordered {
		return
	}
	rows := make([]Bucket, c.Len())
	for i := range rows {
		rows[i] = c.At(i)
	}
	slices.SortStableFunc(rows, func(a, b Bucket) int {
		if a.Start != b.Start {
			return cmp.Compare(a.Start, b.Start)
		}
		return cmp.Compare(int64(b.Count), int64(a.Count))
	})
	c.Reset()
	for i, b := range rows {
		if i == 0 || b.Start != rows[i-1].Start {
			c.Append(b)
		}
	}
}

func floor(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	return t - r
}

var errDamaged = errors.New("its checksum is wrong")

// encode appends the block of the columns: how many buckets, where they lie
// counted in steps from base, then the columns.
func (c *Columns) encode(buf []byte, base, step int64) []byte {
	n := c.Len()
	first := (c.Start[0] - base) / step
	dense := (c.Start[n-1]-c.Start[0])/step == int64(n-1)
	buf = binary.AppendUvarint(buf, uint64(n))
	buf = binary.AppendUvarint(buf, uint64(first))
	if dense {
		buf = append(buf, 1)
	} else {
		buf = append(buf, 0)
		for i := 1; i < n; i++ {
			buf = binary.AppendUvarint(buf, uint64((c.Start[i]-c.Start[i-1])/step))
		}
	}
	buf = encodeCounts(buf, c.Count)
	buf = encodeFloats(buf, c.Min, 0)
	buf = encodeFloats(buf, c.Max, 0)
	// A sum of decimals is that decimal but for the rounding of its additions.
	buf = encodeFloats(buf, c.Sum, 1e-12)
	buf = encodeFloats(buf, c.Last, 0)
	return append(buf, make([]byte, padding)...)
}

// decode appends to c the buckets of a block that start in [from, to).
func (c *Columns) decode(block []byte, base, step, from, to int64) error {
	r := reader{buf: block}
	n := int(r.uvarint())
	first := base + int64(r.uvarint())*step
	dense := r.byte() == 1
	if r.failed || n < 1 || n > mostBuckets {
		return errDamaged
	}
	old := c.Len()
	var skip, take int
	if dense {
		end := first + int64(n)*step
		skip = int((min(max(from, first), end) - first + step - 1) / step)
		take = max(0, int((min(max(to, first), end)-first+step-1)/step)-skip)
		c.grow(take)
		for i := range take {
			c.Start[old+i] = first + int64(skip+i)*step
		}
	} else {
		starts := make([]int64, n)
		starts[0] = first
		for i := 1; i < n; i++ {
			starts[i] = starts[i-1] + int64(r.uvarint())*step
		}
		if r.failed {
			return errDamaged
		}
		skip, _ = slices.BinarySearch(starts, from)
		last, _ := slices.BinarySearch(starts, to)
		take = max(0, last-skip)
		c.grow(take)
		copy(c.Start[old:], starts[skip:skip+take])
	}
	decodeCounts(&r, n, skip, c.Count[old:])
	decodeFloats(&r, n, skip, c.Min[old:])
	decodeFloats(&r, n, skip, c.Max[old:])
	decodeFloats(&r, n, skip, c.Sum[old:])
	if c.SkipLast {
		clear(c.Last[old:])
	} else {
		decodeFloats(&r, n, skip, c.Last[old:])
	}
	if r.failed {
		// Whatever was filled in by then is void.
		c.truncate(old)
		return errDamaged
	}
	return nil
}

// mostBuckets is more than any block has.
const mostBuckets = 1 << 16

// reader takes a block apart; failed says that it ended too early.
type reader struct {
	buf    []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *reader) byte() byte {
	if len(r.buf) == 0 {
		r.failed = true
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

func (r *reader) float() float64 {
	if len(r.buf) < 8 {
		r.failed = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.buf))
	r.buf = r.buf[8:]
	return v
}

// packed returns the bytes of n values of that width, with the padding behind
// them.
func (r *reader) packed(n, width int) []byte {
	size := (n*width + 7) / 8
	if len(r.buf) < size+padding {
		r.failed = true
		return nil
	}
	b := r.buf[: size+padding : size+padding]
	r.buf = r.buf[size:]
	return b
}
