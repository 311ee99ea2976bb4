package balance

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// checkSpec is grpc.health.v1.Health/Check.
var checkSpec = connect.Spec{
	StreamType:       connect.StreamTypeUnary,
	IdempotencyLevel: connect.IdempotencyNoSideEffects,
	Schema:           grpc_health_v1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods().ByName("Check"),
	Procedure:        "/grpc.health.v1.Health/Check",
}

// deadAfter is how many checks in a row have to stay without an answer before the
// calls that run on a server are ended.
const deadAfter = 2

// run does what is due until the balancer is closed.
func (b *Balancer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-b.kick:
		case <-b.life.Done():
			return
		}
		timer.Reset(b.step())
	}
}

// step starts what is due, and returns how long nothing will be.
func (b *Balancer) step() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	wait := time.Hour
	if b.dynamic && b.looked {
		switch {
		case b.lookingUp:
		case now.Before(b.lookupAt):
			wait = b.lookupAt.Sub(now)
		default:
			b.lookingUp = true
			b.work.Go(b.lookAgain)
		}
	}
	if !b.checks() {
		return wait
	}
	for _, e := range b.endpoints {
		if e.checking {
			continue
		}
		if !now.Before(e.checkAt) {
			e.checking = true
			b.work.Go(func() { b.check(e) })
			continue
		}
		wait = min(wait, e.checkAt.Sub(now))
	}
	return wait
}

// lookAgain looks the names up in the background.
func (b *Balancer) lookAgain() {
	_ = b.lookup(b.life) // what is known stays as it is
	b.mu.Lock()
	b.lookingUp = false
	b.mu.Unlock()
	b.wake()
}

// wake lets run look for what is due.
func (b *Balancer) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// suspect has a server checked at once.
func (b *Balancer) suspect(e *endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.soon(e, time.Now())
}

// soon has a server that is in checked at once. The lock is held.
func (b *Balancer) soon(e *endpoint, now time.Time) {
	if !e.out && now.Before(e.checkAt) {
		e.checkAt = now
		b.wake()
	}
}

// lookSoon has the names looked up, if that was not done just now.
func (b *Balancer) lookSoon(now time.Time) {
	if b.dynamic && now.After(b.lookupNow) {
		b.lookupAt, b.lookupNow = now, now.Add(b.opts.MinBackoff)
	}
}

// check asks a server whether it is well.
func (b *Balancer) check(e *endpoint) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(b.life, b.opts.CheckTimeout)
	defer cancel()
	var res grpc_health_v1.HealthCheckResponse
	err := connect.NewClient(e.conn.Transport, b.opts.CheckInterceptors...).
		CallUnary(ctx, checkSpec, &grpc_health_v1.HealthCheckRequest{}, &res)
	if b.life.Err() != nil {
		return
	}
	b.checked(e, began, res.GetStatus(), err)
}

// checked takes in the outcome of a check.
func (b *Balancer) checked(e *endpoint, began time.Time, status grpc_health_v1.HealthCheckResponse_ServingStatus, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.wake()
	now := time.Now()
	e.checking = false
	e.checkAt = now.Add(spread(b.opts.CheckInterval))
	switch {
	case err == nil && status == grpc_health_v1.HealthCheckResponse_SERVING, err != nil && reached(err):
		e.dead = 0
		b.restore(e, now)
		return
	case err != nil:
		e.dead++
	default:
		e.dead = 0
	}
	e.leaveOut(now, b.opts.MinBackoff, b.opts.MaxBackoff)
	b.lookSoon(now)
	if e.dead >= deadAfter {
		b.cut(e, began)
	}
}

// reached reports whether an error of a check comes from a server that works and
// has no health service, or not for this caller.
func reached(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeUnimplemented, connect.CodeNotFound, connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return true
	}
	return false
}

// restore lets calls go to a server again.
func (b *Balancer) restore(e *endpoint, now time.Time) {
	was := e.out
	e.out, e.misses = false, 0
	if !was || b.opts.Policy != First || e.gone {
		return
	}
	best := b.candidates(nil, now)[0]
	for _, other := range b.endpoints {
		for c := range other.calls {
			if c.moves && other != best {
				c.cancel(&cutError{fmt.Sprintf("moving to server %s, which is back", best.addr.key())})
			}
		}
	}
}

// cut ends the calls that wait for a dead server, so that they can go elsewhere: of
// those that may be repeated, the ones that have heard nothing since a time. Where
// there is no other server, they may as well wait.
func (b *Balancer) cut(e *endpoint, since time.Time) {
	now := time.Now()
	other := false
	for _, o := range b.endpoints {
		other = other || o != e && b.usable(o, now)
	}
	if !other {
		return
	}
	e.conn.Disconnect()
	for c := range e.calls {
		if c.cuttable && c.heard.Load() < since.UnixNano() {
			c.cancel(&cutError{fmt.Sprintf("server %s does not answer", e.addr.key())})
		}
	}
}
