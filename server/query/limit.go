package query

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// limited returns the history for one query, which may read so many series and
// no more.
func (e *Engine) limited() storage.Queryable {
	read := new(atomic.Int64)
	return storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		q, err := e.history.Querier(mint, maxt)
		if err != nil {
			return nil, promql.ErrStorage{Err: err}
		}
		return &limitedQuerier{Querier: q, read: read, most: int64(e.options.MaxSeries)}, nil
	})
}

type limitedQuerier struct {
	storage.Querier
	read *atomic.Int64
	most int64
}

func (q *limitedQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	ending := &end{ctx: ctx}
	context.AfterFunc(ctx, func() { ending.passed.Store(true) })
	return &limitedSet{SeriesSet: q.Querier.Select(ctx, sorted, hints, matchers...), querier: q, end: ending}
}

type limitedSet struct {
	storage.SeriesSet
	querier *limitedQuerier
	over    bool
	end     *end
}

func (s *limitedSet) Next() bool {
	if s.over || !s.SeriesSet.Next() {
		return false
	}
	s.over = s.querier.read.Add(1) > s.querier.most
	return !s.over
}

func (s *limitedSet) At() storage.Series {
	return endingSeries{s.SeriesSet.At(), s.end}
}

func (s *limitedSet) Err() error {
	if s.over {
		return &LimitError{
			What: "series", Limit: fmt.Sprint(s.querier.most),
			Hint: `name a host or a label in the selector, such as {hostname="web-1"}`,
		}
	}
	return ofStorage(s.SeriesSet.Err())
}

// ofStorage tells the history's errors from the engine's own.
func ofStorage(err error) error {
	if err == nil {
		return nil
	}
	return promql.ErrStorage{Err: err}
}

// end is that of a query's time. The engine looks at it between series, but the
// windows of one alone may hold billions of samples, counted as often as functions
// go over them. So its iterators fail, once at an end.
type end struct {
	ctx    context.Context //nolint:containedctx // the query's, whose end this is
	passed atomic.Bool
}

// Err is what the engine itself says of its end.
func (e *end) Err() error {
	switch {
	case !e.passed.Load():
		return nil
	case errors.Is(e.ctx.Err(), context.DeadlineExceeded):
		return promql.ErrQueryTimeout("reading of samples")
	}
	return promql.ErrQueryCanceled("reading of samples")
}

type endingSeries struct {
	storage.Series
	end *end
}

func (s endingSeries) Iterator(reused chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reused.(*endingIterator)
	if !ok {
		it = &endingIterator{}
	}
	it.Iterator, it.end = s.Series.Iterator(it.Iterator), s.end
	return it
}

type endingIterator struct {
	chunkenc.Iterator
	end *end
}

func (it *endingIterator) Next() chunkenc.ValueType {
	if it.end.passed.Load() {
		return chunkenc.ValNone
	}
	return it.Iterator.Next()
}

func (it *endingIterator) Err() error {
	if err := it.end.Err(); err != nil {
		return err
	}
	return ofStorage(it.Iterator.Err())
}
