package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// mend writes the hours anew whose marks were last set at or before quiet.
func (s *Store) mend(ctx context.Context, quiet int64) error {
	taken := s.marks.take(quiet)
	if len(taken) == 0 {
		return nil
	}
	// Those who set the marks may still be writing the samples.
	s.close(minTime)
	touched := map[tier.ID][]int64{}
	err := s.mendMinutes(ctx, taken, touched)
	if err == nil {
		err = s.mendHours(touched)
	}
	if err != nil {
		s.marks.failed(taken)
		return fmt.Errorf("mending %d hours: %w", len(taken), err)
	}
	s.counters.mended.Add(uint64(len(taken)))
	return s.marks.mended(taken)
}

// mendMinutes writes one segment for each day with marks. It notes which series
// it touched in which hours.
func (s *Store) mendMinutes(ctx context.Context, taken []mark, touched map[tier.ID][]int64) error {
	end := s.tiers.minute.End()
	days := map[int64]map[string][]int64{}
	for _, m := range taken {
		if m.hour >= end {
			continue // not rolled up yet, so nothing to mend
		}
		d := floor(m.hour, minutePartition)
		if days[d] == nil {
			days[d] = map[string][]int64{}
		}
		days[d][m.host] = append(days[d][m.host], m.hour)
	}
	for _, hosts := range days {
		from, to := int64(maxTime), int64(minTime)
		for _, hours := range hosts {
			from, to = min(from, slices.Min(hours)), max(to, slices.Max(hours)+hour)
		}
		b := batch{tier: s.tiers.minute, from: from, to: min(to, end)}
		var err error
		for host, hours := range hosts {
			if err = s.mendHost(ctx, &b, host, hours, touched); err != nil {
				break
			}
		}
		if err := b.end(s, err); err != nil {
			return err
		}
	}
	return nil
}

// mendHost reads a host's hours within one day from raw.
func (s *Store) mendHost(ctx context.Context, b *batch, host string, hours []int64, touched map[tier.ID][]int64) error {
	slices.Sort(hours)
	to := min(hours[len(hours)-1]+hour, b.to)
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, host)}
	var kept tier.Columns
	return s.bucketed(ctx, hours[0], to, minute, matchers, func(ls labels.Labels, c *tier.Columns) error {
		kept.Reset()
		for i, start := range c.Start {
			if _, marked := slices.BinarySearch(hours, floor(start, hour)); marked {
				kept.Append(c.At(i))
			}
		}
		id := s.tiers.catalog.ID(ls)
		if kept.Len() > 0 {
			touched[id] = append(touched[id], hours...)
		}
		return b.add(id, &kept)
	})
}

// mendHours makes the touched hours anew of the mended minutes, as far as the
// hour tier is written.
func (s *Store) mendHours(touched map[tier.ID][]int64) error {
	end := s.tiers.hour.End()
	months := map[int64]map[tier.ID][]int64{}
	for id, hours := range touched {
		for _, h := range hours {
			if h >= end {
				continue
			}
			month := floor(h, hourPartition)
			if months[month] == nil {
				months[month] = map[tier.ID][]int64{}
			}
			months[month][id] = append(months[month][id], h)
		}
	}
	for _, series := range months {
		from, to := int64(maxTime), int64(minTime)
		for _, hours := range series {
			from, to = min(from, slices.Min(hours)), max(to, slices.Max(hours)+hour)
		}
		b := batch{tier: s.tiers.hour, from: from, to: min(to, end)}
		if err := b.end(s, s.mendMonth(&b, series)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) mendMonth(b *batch, series map[tier.ID][]int64) error {
	v := s.tiers.minute.View(b.from, b.to)
	defer v.Close()
	var minutes, hours tier.Columns
	for id, starts := range series {
		slices.Sort(starts)
		hours.Reset()
		for _, start := range slices.Compact(starts) {
			minutes.Reset()
			v.Read(id, start, start+hour, &minutes)
			minutes.Fold(hour, &hours)
		}
		if err := b.add(id, &hours); err != nil {
			return err
		}
	}
	return nil
}
