package store

import (
	"context"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// Series returns the series that all matchers accept and that have samples from
// start to end, in milliseconds, both included; it may return one whose samples
// lie up to a day outside. They are sorted by type, host and labels. Without a
// matcher it returns all.
func (s *Store) Series(ctx context.Context, start, end int64, matchers ...*labels.Matcher) ([]*metric.Series, error) {
	if len(matchers) == 0 {
		matchers = []*labels.Matcher{everything}
	}
	found := map[string]*metric.Series{}
	for _, t := range []*tier.Tier{s.tiers.minute, s.tiers.hour} {
		if err := s.rolledSeries(ctx, t, start, end, matchers, found); err != nil {
			return nil, err
		}
	}
	q, err := s.raw.querier(start, end)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	// The function says that only the labels are wanted.
	set := q.Select(ctx, false, &storage.SelectHints{Start: start, End: end, Func: "series"}, matchers...)
	for set.Next() {
		series := fromLabels(set.At().Labels())
		found[series.Key()] = series
	}
	if set.Err() != nil {
		return nil, set.Err()
	}
	all := make([]*metric.Series, 0, len(found))
	for _, series := range found {
		all = append(all, series)
	}
	slices.SortFunc(all, func(a, b *metric.Series) int { return strings.Compare(a.Key(), b.Key()) })
	return all, nil
}

func (s *Store) rolledSeries(ctx context.Context, t *tier.Tier, start, end int64, matchers []*labels.Matcher, found map[string]*metric.Series) error {
	v := t.View(start, end)
	defer v.Close()
	there := v.IDs()
	for _, e := range s.tiers.catalog.Match(matchers...) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, ok := slices.BinarySearch(there, e.ID); ok {
			series := fromLabels(e.Labels)
			found[series.Key()] = series
		}
	}
	return nil
}

// HostSpan says from when to when a host has samples.
type HostSpan struct {
	Host string
	// First and Last are in milliseconds. Where only a tier has the samples,
	// First is the start of their bucket and Last its end.
	First, Last int64
}

// Hosts returns every host with samples, sorted by name. It reads the newest
// minutes of every series and is meant for the start of the program; from then
// on who watches the samples come in knows it better.
func (s *Store) Hosts(ctx context.Context) ([]HostSpan, error) {
	hosts := map[tier.ID]string{}
	for _, e := range s.tiers.catalog.Match() {
		hosts[e.ID] = e.Labels.Get(metric.HostLabel)
	}
	group := func(id tier.ID) (string, bool) {
		host, ok := hosts[id]
		return host, ok
	}
	spans := map[string]*HostSpan{}
	widen := func(host string, first, last int64) {
		span := spans[host]
		if span == nil {
			span = &HostSpan{host, first, last}
			spans[host] = span
		}
		span.First, span.Last = min(span.First, first), max(span.Last, last)
	}
	minuteEnd := s.tiers.minute.End()
	if err := s.rolledHosts(s.tiers.minute, Minute, group, widen); err != nil {
		return nil, err
	}
	// The hours only count where the minutes do not reach back that far.
	err := s.rolledHosts(s.tiers.hour, Hour, group, func(host string, first, last int64) {
		if span := spans[host]; span == nil {
			widen(host, first, last)
		} else if first+hour <= span.First {
			span.First = first
		}
	})
	if err != nil {
		return nil, err
	}
	if err := s.rawHosts(ctx, minuteEnd, widen); err != nil {
		return nil, err
	}
	all := make([]HostSpan, 0, len(spans))
	for _, span := range spans {
		all = append(all, *span)
	}
	slices.SortFunc(all, func(a, b HostSpan) int { return strings.Compare(a.Host, b.Host) })
	return all, nil
}

func (s *Store) rolledHosts(t *tier.Tier, resolution Tier, group func(tier.ID) (string, bool), widen func(string, int64, int64)) error {
	v := t.View(minTime, maxTime)
	defer v.Close()
	extent, err := v.Extent(group)
	for host, e := range extent {
		widen(host, e[0], e[1]+resolution.Step()-1)
	}
	return err
}

// rawHosts looks through the raw samples that no tier has: those from a time on,
// and those of the hours that wait to be mended.
func (s *Store) rawHosts(ctx context.Context, from int64, widen func(string, int64, int64)) error {
	if err := s.rawSpan(ctx, from, maxTime, []*labels.Matcher{everything}, widen); err != nil {
		return err
	}
	for host, hours := range s.marks.snapshot() {
		is := labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, host)
		if err := s.rawSpan(ctx, slices.Min(hours), slices.Max(hours)+hour-1, []*labels.Matcher{is}, widen); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) rawSpan(ctx context.Context, from, to int64, matchers []*labels.Matcher, widen func(string, int64, int64)) error {
	q, err := s.raw.querier(from, to)
	if err != nil {
		return err
	}
	defer q.Close()
	set := q.Select(ctx, false, nil, matchers...)
	var it chunkenc.Iterator
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		first, last := int64(maxTime), int64(minTime)
		for it = set.At().Iterator(it); it.Next() == chunkenc.ValFloat; {
			at := it.AtT()
			first, last = min(first, at), max(last, at)
		}
		if it.Err() != nil {
			return it.Err()
		}
		if first <= last {
			widen(set.At().Labels().Get(metric.HostLabel), first, last)
		}
	}
	return set.Err()
}
