package query

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
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
	return &limitedSet{SeriesSet: q.Querier.Select(ctx, sorted, hints, matchers...), querier: q}
}

type limitedSet struct {
	storage.SeriesSet
	querier *limitedQuerier
	over    bool
}

func (s *limitedSet) Next() bool {
	if s.over || !s.SeriesSet.Next() {
		return false
	}
	s.over = s.querier.read.Add(1) > s.querier.most
	return !s.over
}

func (s *limitedSet) Err() error {
	if s.over {
		return &LimitError{
			What: "series", Limit: fmt.Sprint(s.querier.most),
			Hint: `name a host or a label in the selector, such as {hostname="web-1"}`,
		}
	}
	return s.SeriesSet.Err()
}
