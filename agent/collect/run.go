package collect

import (
	"context"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// firstRoundAfter is how long after Prime the first round of [Collector.Run]
// is taken: long enough for rates to mean something, short enough that a
// person does not wait.
const firstRoundAfter = 250 * time.Millisecond

// Run takes a round at each whole multiple of interval on the wall clock and
// passes it to sink, until ctx ends; then it returns nil. The only error is an
// interval that is not positive.
//
// A first round comes early, 250 ms after [Collector.Prime] (which Run calls if
// it was not yet called), so that there is something to show. The slice that
// sink gets is valid until sink returns; a slow sink makes rounds late, and a
// late round is skipped rather than made up for. A round is stamped with the
// tick that it was due at, not with the moment a little later that it ran, as
// even timestamps cost a third of the space in the store; where the two are
// more than a tenth of an interval apart (a busy host, a clock that was
// set), it is stamped with the wall clock.
func (c *Collector) Run(ctx context.Context, interval time.Duration, sink func([]metric.Sample)) error {
	if interval <= 0 {
		return fmt.Errorf("collection interval is %v: give a positive one, such as 1s", interval)
	}
	if c.primedAt == 0 {
		c.Prime(ctx)
	}
	if !sleep(ctx, c.primedAt+firstRoundAfter-c.elapsed()) {
		return nil
	}
	last := c.now()
	for {
		lastAt := c.elapsed()
		if samples := c.collect(ctx, last); ctx.Err() == nil {
			sink(samples)
		}
		now := c.now()
		tick := nextTick(now, last, interval, c.elapsed()-lastAt)
		if !sleep(ctx, tick.Sub(now)) {
			return nil
		}
		last = stamp(c.now(), tick, interval)
	}
}

// nextTick is the next multiple of interval after now that is worth a round:
// not the one that was just taken (the clock may have been set back a little),
// and not one so soon after the round before that its rates were noise. since
// is the time since the round before.
func nextTick(now, last time.Time, interval, since time.Duration) time.Time {
	now = now.Round(0) // the wall clock alone: the monotonic one has no multiples
	past := now.UnixNano() % int64(interval)
	tick := now.Add(interval - time.Duration(past))
	if tick.Equal(last) || since+tick.Sub(now) < interval/4 {
		tick = tick.Add(interval)
	}
	return tick
}

// stamp is the time that a round which was due at tick and runs now carries.
func stamp(now, tick time.Time, interval time.Duration) time.Time {
	if now.Sub(tick).Abs() <= interval/10 {
		return tick
	}
	return now
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
