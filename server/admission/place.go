package admission

import (
	"context"
	"time"
)

// Of the waiting for a place that the caller's own calls have.
const (
	// ownPatience is how many times longer that may be than the waiting for others:
	// it is nobody else's loss.
	ownPatience = 10
	// mostWaiting is how many calls of a caller may wait for each that is at work,
	// for they hold their messages meanwhile.
	mostWaiting = 32
)

// Place is a unary call's place at work. It is for one goroutine at a time; the zero
// value is none.
type Place struct {
	gate *Gate
	own  chan struct{} // the caller's places; nil where it has no bound of its own
	held bool
}

// IsTaken reports whether the place was given by [Caller.Work].
func (p *Place) IsTaken() bool { return p.gate != nil }

// Work waits for the turn of a unary call, of which nothing needs to be waited for
// any more. Call [Place.Leave] when its answer is there. It refuses with a
// *[RefusedError] when the turn does not come, and returns the error of ctx when
// that ends first.
func (c Caller) Work(ctx context.Context) (Place, error) {
	p := Place{gate: c.gate}
	if c.HasBounds() && c.work != nil {
		p.own = c.work
		if err := c.gate.waitForOwn(ctx, c.caller); err != nil {
			return Place{}, err
		}
	}
	if err := c.gate.waitForOthers(ctx); err != nil {
		release(p.own)
		return Place{}, err
	}
	p.held = true
	return p, nil
}

// waitForOwn waits until fewer of the caller's own calls are at work than may be.
func (g *Gate) waitForOwn(ctx context.Context, c *caller) error {
	if tryTake(c.work) {
		return nil
	}
	refusal := func(retryAfter time.Duration) error {
		return g.refuse(c, TooMuchOwnWork, g.opts.CallsAtWorkPerCaller, retryAfter)
	}
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > int64(mostWaiting*g.opts.CallsAtWorkPerCaller) {
		return refusal(g.opts.Wait)
	}
	return take(ctx, c.work, ownPatience*g.opts.Wait, refusal)
}

// waitForOthers waits until fewer calls are at work than may be.
func (g *Gate) waitForOthers(ctx context.Context) error {
	if g.work == nil || tryTake(g.work) {
		return nil
	}
	return take(ctx, g.work, g.opts.Wait, func(retryAfter time.Duration) error {
		return g.refuse(nil, TooMuchWork, g.opts.CallsAtWork, retryAfter)
	})
}

// Leave gives the place to the next. It may be called again.
func (p *Place) Leave() {
	if !p.held {
		return
	}
	p.held = false
	release(p.gate.work)
	release(p.own)
}

// Return takes a place again after [Place.Leave], for as long as ctx lasts: who has
// been let in once is not refused half-way.
func (p *Place) Return(ctx context.Context) error {
	if p.held {
		return nil
	}
	for _, places := range []chan struct{}{p.own, p.gate.work} {
		if places == nil || tryTake(places) {
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			if places == p.gate.work {
				release(p.own)
			}
			return context.Cause(ctx)
		}
	}
	p.held = true
	return nil
}

func tryTake(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a place no longer than patience.
func take(ctx context.Context, places chan struct{}, patience time.Duration, refusal func(retryAfter time.Duration) error) error {
	turn := time.NewTimer(patience)
	defer turn.Stop()
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-turn.C:
		return refusal(patience)
	}
}

func release(places chan struct{}) {
	if places != nil {
		<-places
	}
}
