package ingest

import (
	"cmp"
	"slices"
	"sync"

	"github.com/vitals-rpc/vitals/server/live"
	"github.com/vitals-rpc/vitals/server/store"
)

// batch is what is written at once. Its columns are borrowed until it is
// written.
type batch struct {
	*columns
	newest  int64
	receipt Receipt
}

// columns are the space of a batch.
type columns struct {
	points []store.Point
	live   []live.Point // the same again, to be made live
	places []places
}

// places are points from first on, up to those of the next places, whose indexes
// among the receipt's samples grow by step: a refused sample begins new ones.
type places struct {
	first int
	index uint64
	step  uint64
}

// spare are columns for the next batch. A server has thousands of streams, each
// of which has a batch for a moment of every second; columns of their own would
// grow anew in each stream, which is a fifth of what it costs to catch up.
var spare = sync.Pool{New: func() any { return new(columns) }}

// reserve makes room for n samples more.
func (b *batch) reserve(n int) {
	if b.columns == nil {
		b.columns = spare.Get().(*columns) //nolint:forcetypeassert // the pool holds nothing else
	}
	b.points = slices.Grow(b.points, n)
	b.live = slices.Grow(b.live, n)
}

// add puts a sample in for which there is room. The indexes of samples added one
// after the other grow by step.
func (b *batch) add(e *entry, at int64, value float64, index, step uint64) {
	if n := len(b.points); n == 0 || b.index(n) != index || b.places[len(b.places)-1].step != step {
		b.places = append(b.places, places{n, index, step})
	}
	b.points = append(b.points, store.Point{Ref: e.ref, Time: at, Value: value})
	b.live = append(b.live, live.Point{Cell: e.cell, Time: at, Value: value})
	b.newest = max(b.newest, at)
}

// refuse takes back what the history has refused: it does not become live either.
func (b *batch) refuse(rejected []store.Rejection) {
	if len(rejected) == 0 {
		return
	}
	refused := make(map[int]struct{}, len(rejected))
	for _, r := range rejected {
		refused[r.Index] = struct{}{}
	}
	b.newest = 0
	kept := b.live[:0]
	for i, p := range b.live {
		if _, gone := refused[i]; gone {
			continue
		}
		kept = append(kept, p)
		b.newest = max(b.newest, p.Time)
	}
	b.live = kept
}

// index is the place, among the receipt's samples, of a point that is there or of
// the next one, should it follow the last.
func (b *batch) index(point int) uint64 {
	i := len(b.places) - 1
	if b.places[i].first > point {
		after, _ := slices.BinarySearchFunc(b.places, point+1, func(p places, first int) int { return cmp.Compare(p.first, first) })
		i = after - 1
	}
	p := b.places[i]
	return p.index + uint64(point-p.first)*p.step
}

// size is how many samples wait to be written.
func (b *batch) size() int {
	if b.columns == nil {
		return 0
	}
	return len(b.points)
}

// reset empties the batch for use again and gives its columns back; the receipt
// stays.
func (b *batch) reset() {
	b.newest = 0
	if b.columns == nil {
		return
	}
	b.points, b.live, b.places = b.points[:0], b.live[:0], b.places[:0]
	spare.Put(b.columns)
	b.columns = nil
}
