package store

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/vitals-rpc/vitals/metric"
)

// Point is one sample on its way into the store.
type Point struct {
	// Ref is the series, from [Store.Ref].
	Ref *Ref
	// Time is in milliseconds since the Unix epoch.
	Time int64
	// Value is finite.
	Value float64
}

// AppendResult says what became of a batch. Stored, Duplicates and Rejected add
// up to its length.
type AppendResult struct {
	// Stored is how many points are new.
	Stored int
	// Duplicates is how many were stored already, with the same value.
	Duplicates int
	// Rejected are the points that were refused, in no order.
	Rejected []Rejection
}

// Rejection is a point that was refused.
type Rejection struct {
	// Index is the point's place in the batch.
	Index int
	// Reason is [ErrTooOld], [ErrConflict] or [metric.ErrNotFinite], wrapped or bare.
	Reason error
}

const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64
)

// Append stores a batch. When it returns a nil error every point that is not
// among the rejected survives a kill -9, exactly once, however often it is
// sent: a point that is stored already is accepted and counted as a duplicate.
//
// On an error nothing is promised about the batch and it should be sent again:
// [ErrFull] when the disk is full, [ErrUnavailable] while the store recovers, [ErrClosed]. Append may be called by many goroutines;
// batches of different hosts run side by side.
func (s *Store) Append(ctx context.Context, points []Point) (AppendResult, error) {
	var result AppendResult
	if len(points) == 0 {
		return result, nil
	}
	if err := s.writable(); err != nil {
		return result, err
	}
	db, err := s.raw.acquire()
	if err != nil {
		return result, err
	}
	defer s.raw.release()
	set := s.stripesOf(points)
	s.stripes.lock(set)
	defer s.stripes.unlock(set)

	t := transaction{store: s, db: db, points: points, result: &result, epoch: s.epoch.Load()}
	if err := t.run(ctx); err != nil {
		return AppendResult{}, err
	}
	s.counters.appended(result)
	return result, nil
}

// stripesOf is the set of stripes that the batch needs.
func (s *Store) stripesOf(points []Point) (set uint64) {
	for i := range points {
		set |= 1 << points[i].Ref.stripe
	}
	return set
}

// transaction is one batch on its way. Points are classified by what their Ref
// knows; those of which it knows nothing wait until the stored samples around
// them have been read.
type transaction struct {
	store  *Store
	db     *tsdb.DB
	points []Point
	result *AppendResult
	epoch  uint32

	app     storage.Appender
	id      uint64 // tells this round's samples from earlier ones
	closing int64  // buckets that start before it are written already
	unsure  []int
	again   []int
	marks   map[mark]struct{}
	marked  mark // the last of them
	pending int
}

func (t *transaction) run(ctx context.Context) error {
	left, err := t.round(ctx, nil, true)
	for err == nil && len(left) > 0 {
		left, err = t.round(ctx, left, false)
	}
	return err
}

// round runs one TSDB transaction over the points named by todo, or over all of
// them, and returns those that can only be judged once it is committed.
func (t *transaction) round(ctx context.Context, todo []int, all bool) (left []int, err error) {
	t.id = t.store.transactions.Add(1)
	t.unsure, t.again, t.marks, t.marked, t.pending = nil, nil, nil, mark{}, 0
	// A roll-up that begins now waits until this round is in raw; one that began
	// earlier has moved closing, and the round leaves its marks.
	t.store.rolling.RLock()
	defer t.store.rolling.RUnlock()
	t.closing = t.store.closing
	t.app = t.db.Appender(ctx)
	defer func() {
		if err != nil {
			t.forget()
		}
	}()
	if all {
		for i := range t.points {
			if err := t.point(i); err != nil {
				return nil, errors.Join(err, t.app.Rollback())
			}
		}
	} else {
		t.unsure = todo
	}
	if len(t.unsure) > 0 {
		if err := t.resolve(ctx); err != nil {
			return nil, errors.Join(err, t.app.Rollback())
		}
	}
	return t.again, t.commit()
}

// commit leaves the marks, then writes the round to the log.
func (t *transaction) commit() error {
	if t.pending == 0 {
		return t.app.Rollback()
	}
	if len(t.marks) > 0 {
		if err := t.store.marks.touch(t.marks, t.store.clock()); err != nil {
			return errors.Join(t.store.writeFailed(err, false), t.app.Rollback())
		}
	}
	if err := t.app.Commit(); err != nil {
		return t.store.writeFailed(err, true)
	}
	if t.store.raw.walFailed.Load() {
		return t.store.writeFailed(errors.New("late samples did not reach their log"), true)
	}
	return nil
}

// forget voids what the Refs of the batch know: after a failed commit nobody
// can say what is stored.
func (t *transaction) forget() {
	for i := range t.points {
		t.store.live(t.points[i].Ref).epoch = 0
	}
}

// live is the Ref that holds the knowledge: r itself, or the one that took its
// place while r was idle.
func (s *Store) live(r *Ref) *Ref {
	if r.dropped {
		return s.refs.get(r.series)
	}
	return r
}

// point takes one point as far as its Ref's knowledge goes.
func (t *transaction) point(i int) error {
	p := &t.points[i]
	r := t.store.live(p.Ref)
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		t.reject(i, metric.ErrNotFinite)
		return nil
	}
	if r.epoch != t.epoch {
		r.knowledge = knowledge{epoch: t.epoch}
	}
	switch {
	case r.lastKnown && p.Time > r.lastTime:
		return t.add(i, r, false)
	case r.lastKnown && p.Time == r.lastTime:
		t.same(i, r.lastValue)
	case p.Time > r.gapLow && p.Time < r.gapHigh:
		return t.add(i, r, true)
	case p.Time == r.gapLow && r.gapFilled:
		t.same(i, r.gapValue)
	default:
		t.unsure = append(t.unsure, i)
	}
	return nil
}

// same judges a point at a time at which stored is stored.
func (t *transaction) same(i int, stored float64) {
	if math.Float64bits(stored) == math.Float64bits(t.points[i].Value) {
		t.result.Duplicates++
		return
	}
	t.reject(i, fmt.Errorf("%w: %v is stored", ErrConflict, stored))
}

func (t *transaction) reject(i int, reason error) {
	t.result.Rejected = append(t.result.Rejected, Rejection{Index: i, Reason: reason})
}

// add puts a point in that is known not to be stored.
func (t *transaction) add(i int, r *Ref, late bool) error {
	p := &t.points[i]
	ref, err := t.app.Append(r.tsdb, r.labels, p.Time, p.Value)
	switch {
	case err == nil:
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		if t.store.isInTime(p.Time) {
			return fmt.Errorf("%w: it has samples of a time that has not come, for the clock was ahead", ErrUnavailable)
		}
		t.reject(i, fmt.Errorf("%w of %v", ErrTooOld, t.store.options.OutOfOrderWindow))
		return nil
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		t.reject(i, ErrConflict)
		return nil
	default:
		return fmt.Errorf("the sample of %v cannot be stored: %w", r.series, err)
	}
	r.tsdb, r.touched = ref, t.id
	t.result.Stored++
	t.pending++
	if p.Time < t.closing {
		t.mark(r, p.Time)
	}
	if late {
		r.gapLow, r.gapValue, r.gapFilled = p.Time, p.Value, true
		return nil
	}
	r.advance(p.Time, p.Value, t.store.window)
	return nil
}

// mark notes that a bucket which is written already gets another sample. Most
// samples of a backlog share the mark of the one before.
func (t *transaction) mark(r *Ref, at int64) {
	m := mark{r.series.Host, floor(at, hour)}
	if m == t.marked {
		return
	}
	if t.marks == nil {
		t.marks = map[mark]struct{}{}
	}
	t.marks[m] = struct{}{}
	t.marked = m
}

// advance makes the point the newest sample. The gap before it is worth
// remembering if it is wider than what is left of the last one.
func (k *knowledge) advance(at int64, value float64, window int64) {
	if k.lastKnown && (at-k.lastTime > k.gapHigh-k.gapLow || k.gapHigh < at-window) {
		k.gapLow, k.gapHigh = k.lastTime, at
		k.gapValue, k.gapFilled = k.lastValue, true
	}
	k.lastKnown, k.lastTime, k.lastValue = true, at, value
}
