package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

const (
	// rawLength is how much of the year is there sample by sample.
	rawLength = 4 * time.Hour
	// minuteLength is how much of it is in the minute tier.
	minuteLength = 2 * dayLength
	// A year of seconds is three billion samples. A bucket takes as much room
	// whatever number of samples it stands for, so those of long ago stand for
	// fewer.
	coarseStep = 10 * time.Minute
	fineStep   = 5 * time.Second
)

// fillYear makes the history of a year of the hosts. What is older than
// rawLength is written into the tiers, in segments as a roll-up leaves them; the
// rest is appended second by second, and rolled up by the store. The store is
// opened anew in the end, as it would be after a while: the samples of minutes
// that came within a moment are a burden on it that no real ones are.
func fillYear(ctx context.Context, dir string, end time.Time) (*store.Store, error) {
	hosts := simulate.Fleet(1, queryHosts, 1)
	rawStart := end.Add(-rawLength).Truncate(time.Hour)
	if err := fillTiers(dir, hosts, end.Add(-yearLength-dayLength).Truncate(dayLength), rawStart); err != nil {
		return nil, err
	}
	clock := newClock(rawStart)
	s, err := store.Open(ctx, store.Options{Dir: dir, Now: clock.now})
	if err != nil {
		return nil, err
	}
	if err = appendSeconds(ctx, s, clock, hosts, rawStart, end); err == nil {
		err = s.RollUp(ctx)
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{Dir: dir, Now: clock.now})
}

// appendSeconds appends a sample a second of each host.
func appendSeconds(ctx context.Context, s *store.Store, clock *clock, hosts []*simulate.Host, from, end time.Time) error {
	for from.Before(end) {
		until := from.Add(10 * time.Minute)
		if until.After(end) {
			until = end
		}
		var points []store.Point
		for _, h := range hosts {
			ref := s.Ref(h.Series[0])
			for at := from; at.Before(until); at = at.Add(time.Second) {
				_, values := h.Next(at.UnixMilli(), nil, nil)
				points = append(points, store.Point{Ref: ref, Time: at.UnixMilli(), Value: values[0]})
			}
		}
		if _, err := s.Append(ctx, points); err != nil {
			return err
		}
		from = until
		clock.set(from)
	}
	return nil
}

// fillTiers writes the hours from begin to end, and the minutes of the newest
// days of them.
func fillTiers(dir string, hosts []*simulate.Host, begin, end time.Time) (err error) {
	catalog, err := tier.OpenCatalog(filepath.Join(dir, "series.log"), metric.HostLabel)
	if err != nil {
		return err
	}
	hours, minutes := map[tier.ID]*tier.Columns{}, map[tier.ID]*tier.Columns{}
	fine := end.Add(-minuteLength)
	for _, h := range hosts {
		id := catalog.ID(promLabels(h.Series[0]))
		hour, minute := &tier.Columns{}, &tier.Columns{}
		hours[id], minutes[id] = hour, minute
		step := coarseStep
		for at := begin; at.Before(end); at = at.Add(step) {
			_, values := h.Next(at.UnixMilli(), nil, nil)
			hour.Add(at.Truncate(time.Hour).UnixMilli(), values[0])
			if !at.Before(fine) {
				step = fineStep
				minute.Add(at.Truncate(time.Minute).UnixMilli(), values[0])
			}
		}
	}
	if err = catalog.Flush(); err == nil {
		err = writeTier(filepath.Join(dir, "hour"), tier.Hour, hours, begin.UnixMilli(), end.UnixMilli())
	}
	if err == nil {
		err = writeTier(filepath.Join(dir, "minute"), tier.Minute, minutes, fine.UnixMilli(), end.UnixMilli())
	}
	if closed := catalog.Close(); err == nil {
		err = closed
	}
	return err
}

// writeTier writes the columns, a segment for each stretch that none may cross.
func writeTier(dir string, resolution tier.Resolution, columns map[tier.ID]*tier.Columns, from, end int64) error {
	t, err := tier.Open(dir, resolution, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for from < end && err == nil {
		to := min(from-from%resolution.Partition()+resolution.Partition(), end)
		err = writeSegment(t, columns, from, to)
		from = to
	}
	if closed := t.Close(); err == nil {
		err = closed
	}
	return err
}

func writeSegment(t *tier.Tier, columns map[tier.ID]*tier.Columns, from, to int64) error {
	w, err := t.Writer(from, to)
	if err != nil {
		return err
	}
	for id, c := range columns {
		a, _ := slices.BinarySearch(c.Start, from)
		b, _ := slices.BinarySearch(c.Start, to)
		w.Add(id, &tier.Columns{
			Start: c.Start[a:b], Count: c.Count[a:b], Min: c.Min[a:b], Max: c.Max[a:b], Sum: c.Sum[a:b], Last: c.Last[a:b],
		})
	}
	return w.Finish()
}
