package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/storage"
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
			w := rangeWorker{ranger: r, rangeBuffers: bufferPool.Get().(*rangeBuffers)}
			defer bufferPool.Put(w.rangeBuffers)
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
	*rangeBuffers
	it chunkenc.Iterator
}

type rangeBuffers struct {
	columns tier.Columns
	buckets buckets
}

// bufferPool spares each query the growing of its columns: a year of hours takes
// 400 KB.
var bufferPool = sync.Pool{New: func() any { return &rangeBuffers{columns: tier.Columns{SkipLast: true}} }}

// buckets are those of one series that have samples, in the order of time.
type buckets struct {
	number        []int64
	sum, min, max []float64
	samples       []uint64
}

func (w *rangeWorker) read(a *ranged) error {
	w.buckets.reset()
	for _, p := range w.parts {
		if err := w.readPart(a, p); err != nil {
			return err
		}
	}
	if a.recent != nil {
		if err := w.readRecent(a.recent); err != nil {
			return err
		}
	}
	n := len(w.buckets.number)
	if w.filled.Add(int64(n)) > int64(w.request.MaxBuckets) {
		return &QueryLimitError{What: "points", Limit: w.request.MaxBuckets}
	}
	if n > 0 {
		a.out = w.finish(a)
	}
	return nil
}

// readRecent folds raw samples in.
func (w *rangeWorker) readRecent(series storage.Series) error {
	w.it = series.Iterator(w.it)
	samples := int64(0)
	for w.it.Next() == chunkenc.ValFloat {
		at, v := w.it.At()
		w.buckets.fold(w.grid.bucket(at), 1, v, v, v)
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
	c := &w.columns
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
	w.foldAll()
	return nil
}

// foldAll folds the columns in, a run of rows that share a bucket at a time.
func (w *rangeWorker) foldAll() {
	c, g := &w.columns, &w.grid
	n := c.Len()
	start, count, sum, least, greatest := c.Start[:n], c.Count[:n], c.Sum[:n], c.Min[:n], c.Max[:n]
	for i := 0; i < n; {
		bucket := g.bucket(start[i])
		end := g.start(bucket + 1)
		samples, total, low, high := uint64(count[i]), sum[i], least[i], greatest[i]
		for i++; i < n && start[i] < end; i++ {
			samples += uint64(count[i])
			total += sum[i]
			if least[i] < low {
				low = least[i]
			}
			if greatest[i] > high {
				high = greatest[i]
			}
		}
		w.buckets.fold(bucket, samples, total, low, high)
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

func (b *buckets) reset() {
	b.number, b.samples = b.number[:0], b.samples[:0]
	b.sum, b.min, b.max = b.sum[:0], b.min[:0], b.max[:0]
}

// fold adds samples to a bucket: the last one, or one behind it.
func (b *buckets) fold(number int64, samples uint64, sum, least, greatest float64) {
	i := len(b.number) - 1
	if i < 0 || b.number[i] != number {
		b.number, b.samples = append(b.number, number), append(b.samples, samples)
		b.sum, b.min, b.max = append(b.sum, sum), append(b.min, least), append(b.max, greatest)
		return
	}
	b.samples[i] += samples
	b.sum[i] += sum
	b.min[i], b.max[i] = min(b.min[i], least), max(b.max[i], greatest)
}

// finish makes columns of the buckets.
func (w *rangeWorker) finish(a *ranged) RangeSeries {
	b := &w.buckets
	n := len(b.number)
	floats := make([]float64, 3*n)
	out := RangeSeries{
		Series: fromLabels(a.labels), Times: make([]int64, n),
		Avg: floats[:n:n], Min: floats[n : 2*n : 2*n], Max: floats[2*n:], Count: slices.Clone(b.samples),
	}
	copy(out.Min, b.min)
	copy(out.Max, b.max)
	for i, number := range b.number {
		out.Times[i] = w.grid.start(number)
		out.Avg[i] = b.sum[i] / float64(b.samples[i])
	}
	return out
}
