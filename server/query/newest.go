package query

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
)

// newestWithin is how far from the time at which a host was last seen
// [Engine.Newest] looks: some metric types have a sample a minute, and the time
// may have been noted a little before the host fell silent.
const newestWithin = 10 * time.Minute

// Newest returns the newest sample of a metric type on a host that was last seen
// at about that time. Where the type has several series, the one without further
// labels is meant.
//
// Errors: *[metric.UnknownTypeError] where the host had samples of other types
// then, *[metric.NoSampleError] where it had none, *[metric.AmbiguousTypeError].
func (e *Engine) Newest(ctx context.Context, hostname, metricType string, seen time.Time) (newest metric.Sample, err error) {
	start, end := seen.Add(-newestWithin), seen.Add(newestWithin)
	querier, err := e.history.Querier(start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return newest, err
	}
	defer func() { err = errors.Join(err, querier.Close()) }()
	set := querier.Select(ctx, false, nil,
		labels.MustNewMatcher(labels.MatchEqual, metric.TypeLabel, metricType),
		labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, hostname))
	var found []metric.Sample
	for set.Next() {
		sample, ok, err := lastOf(set.At())
		if err != nil {
			return newest, err
		}
		if ok && len(sample.Series.Labels) == 0 {
			return sample, nil
		}
		if ok {
			found = append(found, sample)
		}
	}
	switch {
	case set.Err() != nil:
		return newest, set.Err()
	case len(found) == 0:
		return newest, e.missing(ctx, hostname, metricType, start, end)
	case len(found) == 1:
		return found[0], nil
	}
	ambiguous := &metric.AmbiguousTypeError{Type: metricType, Host: hostname}
	for _, sample := range found {
		ambiguous.Series = append(ambiguous.Series, sample.Series)
	}
	return newest, ambiguous
}

// missing says why a host has no sample of a type.
func (e *Engine) missing(ctx context.Context, hostname, metricType string, start, end time.Time) error {
	known, err := e.MetricTypes(ctx, hostname, start, end)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return &metric.NoSampleError{Type: metricType, Host: hostname}
	}
	return &metric.UnknownTypeError{Type: metricType, Host: hostname, Known: known}
}

// lastOf is the last sample of a series, if it has any.
func lastOf(series storage.Series) (last metric.Sample, ok bool, err error) {
	it := series.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		last.Time, last.Value = it.At()
		ok = true
	}
	if ok {
		last.Series = seriesOf(series.Labels())
	}
	return last, ok, it.Err()
}

func seriesOf(all labels.Labels) *metric.Series {
	var further metric.Labels
	all.Range(func(l labels.Label) {
		if l.Name != metric.TypeLabel && l.Name != metric.HostLabel {
			further = append(further, metric.Label{Name: l.Name, Value: l.Value})
		}
	})
	return metric.NewSeries(all.Get(metric.TypeLabel), all.Get(metric.HostLabel), further)
}
