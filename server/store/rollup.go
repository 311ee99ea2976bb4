package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// No segment of a tier crosses one of these stretches.
var (
	minutePartition = Minute.Partition()
	hourPartition   = Hour.Partition()
)

// everything matches every series.
var everything = labels.MustNewMatcher(labels.MatchNotEqual, metric.TypeLabel, "")

// roll writes the buckets that end at or before closed and are not written yet.
func (s *Store) roll(ctx context.Context, closed int64) error {
	from := s.tiers.minute.End()
	if from == minTime {
		oldest, ok, err := s.raw.oldest()
		if err != nil || !ok {
			return err
		}
		from = floor(oldest, minute)
	}
	if closed > from {
		s.close(closed)
		for from < closed {
			to := min(closed, floor(from, minutePartition)+minutePartition)
			if err := s.rollMinutes(ctx, from, to); err != nil {
				return fmt.Errorf("minutes from %d to %d: %w", from, to, err)
			}
			from = to
		}
	}
	return s.rollClosedHours(ctx)
}

// close makes every append from now on that lands before the time leave its
// mark, and waits for those that began before.
func (s *Store) close(before int64) {
	s.rolling.Lock()
	defer s.rolling.Unlock()
	s.closing = max(s.closing, before)
}

func (s *Store) rollClosedHours(ctx context.Context) error {
	from := s.tiers.hour.End()
	if from == minTime {
		start, ok := s.tiers.minute.Start()
		if !ok {
			return nil
		}
		from = floor(start, hour)
	}
	end := s.tiers.minute.End()
	if end == minTime {
		return nil
	}
	for closed := floor(end, hour); from < closed; {
		to := min(closed, floor(from, hourPartition)+hourPartition)
		if err := s.rollHours(ctx, from, to); err != nil {
			return fmt.Errorf("hours from %d to %d: %w", from, to, err)
		}
		from = to
	}
	return nil
}

// batch is a segment in the making; its file is made when the first series
// comes.
type batch struct {
	tier     *tier.Tier
	from, to int64
	w        *tier.Writer
}

func (b *batch) add(id tier.ID, c *tier.Columns) (err error) {
	if c.Len() == 0 {
		return nil
	}
	if b.w == nil {
		if b.w, err = b.tier.Writer(b.from, b.to); err != nil {
			return err
		}
	}
	b.w.Add(id, c)
	return nil
}

// end publishes the segment, or gives it up if something went wrong.
func (b *batch) end(s *Store, err error) error {
	switch {
	case b.w == nil && err == nil:
		b.tier.Pass(b.to)
		return nil
	case b.w == nil:
		return err
	case err != nil:
		return errors.Join(err, b.w.Abort())
	}
	// The numbers must be on disk before a file refers to them.
	if err := s.tiers.catalog.Flush(); err != nil {
		return errors.Join(err, b.w.Abort())
	}
	s.counters.rolled.Add(uint64(b.w.Buckets))
	return b.w.Finish()
}

// rollMinutes writes the minutes of all series in [from, to).
func (s *Store) rollMinutes(ctx context.Context, from, to int64) error {
	b := batch{tier: s.tiers.minute, from: from, to: to}
	return b.end(s, s.bucketed(ctx, from, to, minute, []*labels.Matcher{everything},
		func(ls labels.Labels, c *tier.Columns) error { return b.add(s.tiers.catalog.ID(ls), c) }))
}

// bucketed reads raw in [from, to) and hands each series' buckets over. The
// columns are used again afterwards.
func (s *Store) bucketed(ctx context.Context, from, to, step int64, matchers []*labels.Matcher,
	each func(labels.Labels, *tier.Columns) error) error {
	q, err := s.raw.querier(from, to-1)
	if err != nil {
		return err
	}
	defer q.Close()
	set := q.Select(ctx, false, nil, matchers...)
	var c tier.Columns
	var it chunkenc.Iterator
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		series := set.At()
		it = series.Iterator(it)
		c.Reset()
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			c.Add(floor(at, step), v)
		}
		if it.Err() != nil {
			return fmt.Errorf("%v: %w", series.Labels(), it.Err())
		}
		if err := each(series.Labels(), &c); err != nil {
			return err
		}
	}
	return set.Err()
}

// rollHours makes the hours of all series in [from, to) of their minutes.
func (s *Store) rollHours(ctx context.Context, from, to int64) error {
	v := s.tiers.minute.View(from, to)
	defer v.Close()
	b := batch{tier: s.tiers.hour, from: from, to: to}
	var minutes, hours tier.Columns
	var err error
	for _, id := range v.IDs() {
		if err = ctx.Err(); err != nil {
			break
		}
		minutes.Reset()
		hours.Reset()
		v.Read(id, from, to, &minutes)
		minutes.Fold(hour, &hours)
		if err = b.add(id, &hours); err != nil {
			break
		}
	}
	return b.end(s, err)
}
