package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// tiers are the minute and the hour tier, and the numbers that both give to
// series.
type tiers struct {
	minute, hour *tier.Tier
	catalog      *tier.Catalog
	// keeping lets one goroutine at a time write.
	keeping sync.Mutex
	swept   time.Time
}

func openTiers(o Options) (t *tiers, err error) {
	t = &tiers{swept: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(plain(err), t.close())
			t = nil
		}
	}()
	if t.catalog, err = tier.OpenCatalog(filepath.Join(o.Dir, "series.log"), metric.HostLabel); err != nil {
		return t, err
	}
	if t.minute, err = tier.Open(filepath.Join(o.Dir, "minute"), tier.Minute, o.Logger); err != nil {
		return t, err
	}
	if t.hour, err = tier.Open(filepath.Join(o.Dir, "hour"), tier.Hour, o.Logger); err != nil {
		return t, err
	}
	// An end that moved over a stretch without samples leaves no file, but hours
	// are only written once the minutes are.
	t.minute.Pass(t.hour.End())
	return t, nil
}

func (t *tiers) close() error {
	var errs []error
	if t.minute != nil {
		errs = append(errs, t.minute.Close())
	}
	if t.hour != nil {
		errs = append(errs, t.hour.Close())
	}
	if t.catalog != nil {
		errs = append(errs, t.catalog.Close())
	}
	return errors.Join(errs...)
}

// keepInterval is how often the store looks whether the tiers want anything.
const keepInterval = 2 * time.Second

// keepTiers writes, mends, merges and expires in the background.
func (s *Store) keepTiers(ctx context.Context) {
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	var rest time.Time // after a failure, so that the log is not filled with it
	var clock steady
	for {
		now := s.clock()
		believed, jumped := clock.look(now)
		if jumped {
			s.options.Logger.Warn("the clock has jumped ahead: nothing expires and nothing is written to the tiers until it has gone on so for an hour, or is set back",
				"now", time.UnixMilli(now).UTC().Format(time.RFC3339))
		}
		if believed && !s.space.full.Load() && !s.raw.walFailed.Load() && time.Now().After(rest) {
			closed := floor(now-s.options.RollUpDelay.Milliseconds(), s.options.RollUpInterval.Milliseconds())
			if err := s.keep(ctx, closed, now-s.options.MendDelay.Milliseconds()); err != nil && ctx.Err() == nil {
				s.options.Logger.Error("the minute and hour tiers could not be kept; queries read raw samples meanwhile", "error", err)
				rest = time.Now().Add(30 * time.Second)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// RollUp writes every bucket that has closed and mends every hour that a late
// sample has touched, at once. The store does so by itself from time to time;
// queries give the same answers before and after.
func (s *Store) RollUp(ctx context.Context) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.keep(ctx, floor(s.clock()-s.options.RollUpDelay.Milliseconds(), minute), maxTime)
}

// keep writes the buckets before closed, mends the marks last set at or before
// quiet, tidies up, then makes again what was found damaged.
func (s *Store) keep(ctx context.Context, closed, quiet int64) error {
	s.tiers.keeping.Lock()
	defer s.tiers.keeping.Unlock()
	// What goes wrong with one does not hold up the others.
	return errors.Join(s.roll(ctx, closed), s.mend(ctx, quiet), s.tidy(ctx), s.remake(ctx))
}

// tidy drops what is too old and merges what is small.
func (s *Store) tidy(ctx context.Context) error {
	now := s.clock()
	gone := s.tiers.minute.Expire(now - s.options.MinuteRetention.Milliseconds())
	gone += s.tiers.hour.Expire(now - s.options.HourRetention.Milliseconds())
	_, err := s.tiers.minute.Merge(ctx)
	if err == nil {
		_, err = s.tiers.hour.Merge(ctx)
	}
	if err != nil {
		return err
	}
	if time.Since(s.tiers.swept) > 10*time.Minute {
		s.tiers.swept = time.Now()
		s.refs.sweep(now-s.window-hour, &s.stripes)
	}
	if gone == 0 {
		return nil
	}
	live := map[tier.ID]struct{}{}
	s.tiers.minute.Live(live)
	s.tiers.hour.Live(live)
	_, err = s.tiers.catalog.Retain(live)
	return err
}

// remake writes the stretches again in which something was found damaged: minutes as
// far as raw has them, and hours as far as there are minutes.
func (s *Store) remake(ctx context.Context) error {
	var errs []error
	try := func(t *tier.Tier, from, to int64, again func() error) {
		if err := again(); err != nil {
			t.Damage(from, to) // to be tried again
			errs = append(errs, fmt.Errorf("what was damaged from %d to %d: %w", from, to, err))
		}
	}
	for _, gap := range s.tiers.minute.Damaged() {
		try(s.tiers.minute, gap[0], gap[1], func() error {
			err := s.rollMinutes(ctx, gap[0], gap[1])
			if err == nil {
				// Hours may have been made of what was left.
				err = s.remakeHours(ctx, floor(gap[0], hour), floor(gap[1]+hour-1, hour))
			}
			return err
		})
	}
	for _, gap := range s.tiers.hour.Damaged() {
		try(s.tiers.hour, gap[0], gap[1], func() error { return s.remakeHours(ctx, gap[0], gap[1]) })
	}
	return errors.Join(errs...)
}

// remakeHours writes the hours in [from, to) again, as far as the tier goes.
func (s *Store) remakeHours(ctx context.Context, from, to int64) error {
	for end := min(to, s.tiers.hour.End()); from < end; {
		next := min(end, floor(from, hourPartition)+hourPartition)
		if err := s.rollHours(ctx, from, next); err != nil {
			return err
		}
		from = next
	}
	return nil
}
