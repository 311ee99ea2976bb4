package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/vitals-rpc/vitals/server/store/tier"
)

// ErrAveraged is the warning of an answer that reaches back beyond the raw
// samples and was made, there, of the averages of a minute.
var ErrAveraged = errors.New("raw samples are no longer kept")

// Queryable is the history for PromQL: raw samples and, where those have
// expired, one sample a minute with the minute's average at the minute's end.
// An answer with such samples carries a warning that is [ErrAveraged].
//
// Each querier must be closed: [Store.Close] waits for it.
func (s *Store) Queryable() storage.Queryable {
	return storage.QueryableFunc(func(mint, maxt int64) (storage.Querier, error) {
		recent, err := s.raw.querier(mint, maxt)
		if err != nil {
			return nil, err
		}
		oldest, ok, err := s.raw.oldest()
		if err != nil {
			return nil, errors.Join(err, recent.Close())
		}
		if !ok {
			oldest = maxTime
		}
		start, has := s.tiers.minute.Start()
		if !has || mint >= oldest || start >= floor(oldest, minute) {
			return recent, nil
		}
		past := &averages{store: s, from: floor(mint, minute), to: min(maxt, oldest-1), oldest: oldest}
		past.view = s.tiers.minute.View(past.from, past.to)
		return storage.NewMergeQuerier([]storage.Querier{recent, past}, nil, storage.ChainedSeriesMerge), nil
	})
}

// averages is the minute tier as PromQL sees it.
type averages struct {
	store    *Store
	view     *tier.View
	from, to int64 // samples from (exclusive of earlier minutes) to, included
	oldest   int64
}

func (q *averages) Select(ctx context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	entries := q.store.tiers.catalog.Match(matchers...)
	slices.SortFunc(entries, func(a, b *tier.Entry) int { return labels.Compare(a.Labels, b.Labels) })
	var c tier.Columns
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return storage.ErrSeriesSet(err)
		}
		c.Reset()
		q.view.Read(e.ID, q.from, q.to, &c)
		var samples []chunks.Sample
		for i, start := range c.Start {
			if at := start + minute - 1; at <= q.to {
				samples = append(samples, average{at, c.Sum[i] / float64(c.Count[i])})
			}
		}
		if len(samples) > 0 {
			found = append(found, storage.NewListSeries(e.Labels, samples))
		}
	}
	set := &seriesSet{series: found}
	if len(found) > 0 {
		set.warnings = annotations.New().Add(fmt.Errorf("%w from before %s: the answer uses the averages of a minute there",
			ErrAveraged, time.UnixMilli(q.oldest).UTC().Format(time.RFC3339)))
	}
	return set
}

func (q *averages) LabelValues(ctx context.Context, name string, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var values []string
	for _, e := range q.store.tiers.catalog.Match(matchers...) {
		if v := e.Labels.Get(name); v != "" && q.view.Has(e.ID) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil, ctx.Err()
}

func (q *averages) LabelNames(ctx context.Context, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var names []string
	for _, e := range q.store.tiers.catalog.Match(matchers...) {
		if q.view.Has(e.ID) {
			e.Labels.Range(func(l labels.Label) { names = append(names, l.Name) })
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil, ctx.Err()
}

func (q *averages) Close() error {
	q.view.Close()
	return nil
}

// seriesSet is a list of series with warnings.
type seriesSet struct {
	series   []storage.Series
	at       int
	warnings annotations.Annotations
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at <= len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at-1] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return s.warnings }

// average is a sample of one minute.
type average struct {
	at    int64
	value float64
}

func (a average) T() int64                      { return a.at }
func (a average) ST() int64                     { return 0 }
func (a average) F() float64                    { return a.value }
func (a average) H() *histogram.Histogram       { return nil }
func (a average) FH() *histogram.FloatHistogram { return nil }
func (a average) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (a average) Copy() chunks.Sample           { return a }
