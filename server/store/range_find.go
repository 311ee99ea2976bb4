package store

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/vitals-rpc/vitals/metric"
)

// find collects the series: from the tiers' catalog, from raw's newest part,
// and from the hours that a late sample has touched.
func (r *ranger) find(ctx context.Context) error {
	if r.result.Tier != Raw {
		for _, e := range r.store.tiers.catalog.Match(r.request.Matchers...) {
			a, err := r.entry(e.Labels)
			if err != nil {
				return err
			}
			a.id, a.rolled = e.ID, true
		}
		if err := r.findLate(ctx); err != nil {
			return err
		}
	}
	if r.rawFrom >= r.result.End {
		return nil
	}
	return r.findRaw(ctx, r.rawFrom, r.result.End, r.request.Matchers, func(a *ranged, s storage.Series) { a.recent = s })
}

// findLate reads, of each host with marks that may match, the marked hours
// before rawFrom.
func (r *ranger) findLate(ctx context.Context) error {
	for host, hours := range r.late {
		hours = slices.DeleteFunc(hours, func(h int64) bool { return h >= r.rawFrom || h+hour <= r.result.Start })
		if len(hours) == 0 || !mayMatch(r.request.Matchers, host) {
			continue
		}
		slices.Sort(hours)
		matchers := append(slices.Clone(r.request.Matchers), labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, host))
		to := min(hours[len(hours)-1]+hour, r.rawFrom)
		err := r.findRaw(ctx, hours[0], to, matchers, func(a *ranged, s storage.Series) { a.late, a.hours = s, hours })
		if err != nil {
			return err
		}
	}
	return nil
}

// mayMatch says whether the matchers accept the host's name.
func mayMatch(matchers []*labels.Matcher, host string) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		return m.Name == metric.HostLabel && !m.Matches(host)
	})
}

func (r *ranger) findRaw(ctx context.Context, from, to int64, matchers []*labels.Matcher, each func(*ranged, storage.Series)) error {
	q, err := r.store.raw.querier(from, to-1)
	if err != nil {
		return err
	}
	r.queriers = append(r.queriers, q)
	set := q.Select(ctx, false, nil, matchers...)
	for set.Next() {
		series := set.At()
		a, err := r.entry(series.Labels())
		if err != nil {
			return err
		}
		each(a, series)
	}
	return set.Err()
}

// entry returns the series with these labels.
func (r *ranger) entry(ls labels.Labels) (*ranged, error) {
	h := ls.Hash()
	for _, a := range r.series[h] {
		if labels.Equal(a.labels, ls) {
			return a, nil
		}
	}
	if r.count++; r.count > r.request.MaxSeries {
		return nil, &QueryLimitError{What: "series", Limit: r.request.MaxSeries}
	}
	a := &ranged{labels: ls}
	r.series[h] = append(r.series[h], a)
	return a, nil
}
