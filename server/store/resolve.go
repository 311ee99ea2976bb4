package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
)

// lookahead is how far behind the last unsure point of a series the stored
// samples are read, in milliseconds, so that the points of the batches to come
// fall into a known gap.
const lookahead = 10 * minute

// stored is what raw holds of one series from low to high, both included.
type stored struct {
	ref       *Ref
	low, high int64
	times     []int64
	values    []float64
}

// resolve reads what is stored around the unsure points and takes them. The
// points of a series that got a sample in this very round wait for the next,
// since what is not committed cannot be read.
func (t *transaction) resolve(ctx context.Context) error {
	known := map[*Ref]*stored{}
	var todo []int
	for _, i := range t.unsure {
		r := t.store.live(t.points[i].Ref)
		if r.touched == t.id {
			t.again = append(t.again, i)
			continue
		}
		at := t.points[i].Time
		k := known[r]
		if k == nil {
			k = &stored{ref: r, low: at, high: at}
			known[r] = k
		}
		k.low, k.high = min(k.low, at), max(k.high, at)
		todo = append(todo, i)
	}
	if err := t.read(ctx, known); err != nil {
		return err
	}
	for _, i := range todo {
		if err := t.judge(i, known[t.store.live(t.points[i].Ref)]); err != nil {
			return err
		}
	}
	return nil
}

// judge takes one point by what is stored.
func (t *transaction) judge(i int, k *stored) error {
	p := &t.points[i]
	place, found := slices.BinarySearch(k.times, p.Time)
	if found {
		t.same(i, k.values[place])
		return nil
	}
	r := k.ref
	newest := r.lastKnown && p.Time > r.lastTime
	before := t.result.Stored
	if err := t.add(i, r, !newest); err != nil || t.result.Stored == before {
		return err
	}
	k.times = slices.Insert(k.times, place, p.Time)
	k.values = slices.Insert(k.values, place, p.Value)
	if newest {
		return nil
	}
	next := k.high
	if place+1 < len(k.times) {
		next = k.times[place+1]
	}
	r.gapHigh = next
	if !r.lastKnown && k.high == maxTime && place+1 == len(k.times) {
		// Nothing lies behind it: this is the newest sample.
		r.lastKnown, r.lastTime, r.lastValue = true, p.Time, p.Value
		r.gapLow, r.gapHigh, r.gapFilled = 0, 0, false
	}
	return nil
}

// read fills in what raw holds of the series, host by host.
func (t *transaction) read(ctx context.Context, known map[*Ref]*stored) error {
	byHost := map[string][]*stored{}
	for r, k := range known {
		byHost[r.series.Host] = append(byHost[r.series.Host], k)
	}
	newest := t.db.Head().MaxTime()
	for host, wanted := range byHost {
		if err := t.readHost(ctx, host, wanted, newest); err != nil {
			return fmt.Errorf("reading what is stored of %s: %w", host, err)
		}
	}
	return nil
}

func (t *transaction) readHost(ctx context.Context, host string, wanted []*stored, newest int64) error {
	low, high := int64(maxTime), int64(minTime)
	byHash := make(map[uint64][]*stored, len(wanted))
	for _, k := range wanted {
		low, high = min(low, k.low), max(high, k.high)
		h := k.ref.labels.Hash()
		byHash[h] = append(byHash[h], k)
	}
	if high += lookahead; high >= newest {
		high = maxTime
	}
	q, err := t.db.Querier(low, high)
	if err != nil {
		return err
	}
	defer q.Close()
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, host)}
	if len(wanted) == 1 {
		matchers = exactly(wanted[0].ref.labels)
	}
	for _, k := range wanted {
		k.low, k.high = low, high
	}
	set := q.Select(ctx, false, nil, matchers...)
	var it chunkenc.Iterator
	for set.Next() {
		series := set.At()
		ls := series.Labels()
		for _, k := range byHash[ls.Hash()] {
			if !labels.Equal(k.ref.labels, ls) {
				continue
			}
			it = series.Iterator(it)
			for it.Next() == chunkenc.ValFloat {
				at, v := it.At()
				k.times, k.values = append(k.times, at), append(k.values, v)
			}
			if it.Err() != nil {
				return it.Err()
			}
		}
	}
	for _, k := range wanted {
		k.learn()
	}
	return set.Err()
}

// learn tells the Ref its newest sample, if what was read reaches that far.
func (k *stored) learn() {
	if k.high != maxTime || len(k.times) == 0 {
		return
	}
	last := len(k.times) - 1
	k.ref.lastKnown, k.ref.lastTime, k.ref.lastValue = true, k.times[last], k.values[last]
}

// exactly matches the one series with these labels, and whatever has more.
func exactly(ls labels.Labels) (matchers []*labels.Matcher) {
	ls.Range(func(l labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	})
	return matchers
}
