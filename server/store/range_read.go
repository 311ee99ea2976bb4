package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/server/store/tier"
)

// readAll reads the series side by side.
func (r *ranger) readAll(ctx context.Context, all []*ranged) error {
	workers := min(runtime.GOMAXPROCS(0), (len(all)+7)/8)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			w := rangeWorker{ranger: r, columns: columnsPool.Get().(*tier.Columns)}
			defer columnsPool.Put(w.columns)
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := w.read(all[i]); err != nil {
					return fmt.Errorf("%v: %w", all[i].labels, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// rangeWorker reads one series after the other with one set of buffers.
type rangeWorker struct {
	*ranger
	columns *tier.Columns
	it      chunkenc.Iterator
}

// columnsPool spares each query the growing of its columns: a year of hours
// takes 400 KB.
var columnsPool = sync.Pool{New: func() any { return &tier.Columns{SkipLast: true} }}

func (w *rangeWorker) read(a *ranged) error {
	n := int((w.result.End - w.result.Start) / w.result.Step)
	floats := make([]float64, 3*n)
	a.count, a.sum, a.min, a.max = make([]uint64, n), floats[:n:n], floats[n:2*n:2*n], floats[2*n:]
	for _, p := range w.parts {
		if err := w.readPart(a, p); err != nil {
			return err
		}
	}
	if a.recent == nil {
		return nil
	}
	w.it = a.recent.Iterator(w.it)
	samples := int64(0)
	for w.it.Next() == chunkenc.ValFloat {
		at, v := w.it.At()
		i := (at - w.result.Start) / w.result.Step
		a.fold(int(i), 1, v, v, v)
		samples++
	}
	if err := w.it.Err(); err != nil {
		return err
	}
	return w.touch(samples)
}

// touch counts samples against the limit.
func (r *ranger) touch(n int64) error {
	if r.touched.Add(n) > int64(r.request.MaxSamples) {
		return &QueryLimitError{What: "samples", Limit: r.request.MaxSamples}
	}
	return nil
}

// readPart folds a tier's buckets in; in marked hours those of raw where they
// hold more.
func (w *rangeWorker) readPart(a *ranged, p part) error {
	if p.from >= p.to {
		return nil
	}
	c := w.columns
	c.Reset()
	if a.rolled {
		p.view.Read(a.id, p.from, p.to, c)
	}
	if err := w.touch(int64(c.Len())); err != nil {
		return err
	}
	if a.late != nil {
		if err := w.readLate(a, p); err != nil {
			return err
		}
	}
	w.foldAll(a)
	return nil
}

// foldAll folds the columns in, a run of rows that share a bucket at a time.
func (w *rangeWorker) foldAll(a *ranged) {
	c, step := w.columns, w.result.Step
	n := c.Len()
	count, sum, least, greatest := c.Count[:n], c.Sum[:n], c.Min[:n], c.Max[:n]
	for i := 0; i < n; {
		bucket := (c.Start[i] - w.result.Start) / step
		end := w.result.Start + (bucket+1)*step
		samples, total, low, high := uint64(count[i]), sum[i], least[i], greatest[i]
		for i++; i < n && c.Start[i] < end; i++ {
			samples += uint64(count[i])
			total += sum[i]
			if least[i] < low {
				low = least[i]
			}
			if greatest[i] > high {
				high = greatest[i]
			}
		}
		a.fold(int(bucket), samples, total, low, high)
	}
}

func (w *rangeWorker) readLate(a *ranged, p part) error {
	width := p.resolution.Step()
	var late tier.Columns
	samples := int64(0)
	w.it = a.late.Iterator(w.it)
	for w.it.Next() == chunkenc.ValFloat {
		at, v := w.it.At()
		samples++
		if at < p.from || at >= p.to {
			continue
		}
		if _, marked := slices.BinarySearch(a.hours, floor(at, hour)); marked {
			late.Add(floor(at, width), v)
		}
	}
	for i := range late.Start {
		w.columns.Append(late.At(i))
	}
	w.columns.Merge()
	return errors.Join(w.it.Err(), w.touch(samples))
}

// fold adds samples to a bucket.
func (a *ranged) fold(i int, count uint64, sum, least, greatest float64) {
	if a.count[i] == 0 {
		a.count[i], a.sum[i], a.min[i], a.max[i] = count, sum, least, greatest
		return
	}
	a.count[i] += count
	a.sum[i] += sum
	a.min[i], a.max[i] = min(a.min[i], least), max(a.max[i], greatest)
}

// finish makes columns of the buckets that have samples.
func (r *ranger) finish(a *ranged) RangeSeries {
	n := 0
	times := make([]int64, 0, len(a.count))
	for i, count := range a.count {
		if count == 0 {
			continue
		}
		times = append(times, r.result.Start+int64(i)*r.result.Step)
		a.count[n], a.sum[n], a.min[n], a.max[n] = count, a.sum[i]/float64(count), a.min[i], a.max[i]
		n++
	}
	if n == 0 {
		return RangeSeries{}
	}
	return RangeSeries{
		Series: fromLabels(a.labels), Times: times,
		Avg: a.sum[:n], Min: a.min[:n], Max: a.max[:n], Count: a.count[:n],
	}
}
