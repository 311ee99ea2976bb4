package store

// grid is where the buckets of an answer lie.
type grid struct {
	// origin is the start of the first bucket, step the width of each, and count
	// their number.
	origin, step, count int64
	// from and to are what is read into them; to is not included. What lies before
	// the first bucket belongs to it, and what lies behind the last to that.
	from, to int64
}

func (g *grid) bucket(at int64) int64 {
	return min(max((at-g.origin)/g.step, 0), g.count-1)
}

func (g *grid) start(bucket int64) int64 { return g.origin + bucket*g.step }

// farthest is the bound of the times that are asked for, in milliseconds: with it
// no sum of what follows overflows, and it is beyond any sample's time.
const farthest = 1 << 60

func within(t int64) int64 { return min(max(t, -farthest), farthest) }

// enough is the part of the points asked for, in tenths, with which a tier will do
// even if a finer one gives more.
const enough = 9

// mostRows is how many buckets of a series, or samples a second apart, are read in
// order to have more points than a coarser tier gives. Those of a hundred series
// take some 15 ms.
const mostRows = 7 * 24 * hour / minute

// tier is the coarsest tier that gives as many points as asked for. A point is a
// whole number of the tier's buckets: nine tenths of the points will do, and half
// of them where it takes more than mostRows to have more. So a month in 500 points
// is 360 of two hours, for 43,200 minutes of a hundred series would take four times
// as long as is bearable; a week in 100 points is 100 of 101 minutes, not 84 of two
// hours.
func (r RangeRequest) tier() Tier {
	length, most := r.End-r.Start+1, r.most()
	for t := Hour; t > Raw; t-- {
		g, finer := r.grid(t), r.grid(t-1)
		if float64(g.step)*enough <= float64(length)/float64(most)*10 {
			return t
		}
		half := length/most >= t.Step()
		if half && (length/rowWidth(t-1) > mostRows || finer.step >= g.step) {
			return t
		}
	}
	return Raw
}

// most is MaxPoints, of which products do not overflow.
func (r RangeRequest) most() int64 { return min(int64(r.MaxPoints), 1<<40) }

// rowWidth is the time that a row of a tier stands for; there is a sample a second
// at most, as a rule.
func rowWidth(t Tier) int64 { return max(t.Step(), second) }

// steps are widths in milliseconds that people count in, none of them more than
// twice the one before.
var steps = []int64{
	1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 250, 500,
	1 * second, 2 * second, 3 * second, 5 * second, 10 * second, 15 * second, 20 * second, 30 * second, 60 * second,
}

// grid has the narrowest buckets with which the range has at most MaxPoints of
// them, read from that tier.
func (r RangeRequest) grid(t Tier) grid {
	most, unit := r.most(), max(t.Step(), 1)
	g := grid{from: floor(r.Start, unit), to: r.End + 1}
	if t != Raw {
		g.to = max(ceil(r.End, unit), g.from+unit)
	}
	if most == 1 {
		g.origin, g.step, g.count = g.from, g.to-g.from, 1
		return g
	}
	if t == Raw {
		unit = minute
		for _, g.step = range steps {
			if g.fits(r.Start, most) {
				return g
			}
		}
	}
	g.step = max(ceil((r.End-r.Start)/most, unit), unit)
	for !g.fits(r.Start, most) { // it does when twice as wide, at the latest
		g.step += max(unit, floor(g.step/64, unit))
	}
	return g
}

// fits lays the buckets out and says whether they are not too many. One too many is
// joined with its neighbour: a last one for the range's very end, or a first one of
// which only a part is in the range.
func (g *grid) fits(start, most int64) bool {
	g.origin = floor(g.from, g.step)
	last := g.to - 1
	g.count = (last-g.origin)/g.step + 1
	if g.count == most+1 && g.start(most) == last {
		g.count--
	}
	if g.count == most+1 && g.origin < start {
		g.origin += g.step
		g.count--
	}
	return g.count <= most
}
