package simulate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// longestWait is how long a host waits at most before it tries again.
const longestWait = 2 * time.Second

// outlive is live for a host that outlives outages: once the server is back, it
// sends what is new first and what it kept beside that.
func (s *simulation) outlive(ctx context.Context, r *reporter) error {
	step := s.Interval.Milliseconds()
	next := s.begin.UnixMilli()
	end := time.Now().Add(s.Duration)
	var backlog []*monitoringv1.Samples
	var behind chan []*monitoringv1.Samples // what catching up could not send
	for time.Now().Before(end) && ctx.Err() == nil {
		err := s.stream(ctx, r, &next, step, end)
		if errors.Is(err, errRefused) {
			return err
		}
		if behind != nil {
			backlog = append(backlog, <-behind...)
			behind = nil
		}
		if err == nil && len(backlog) == 0 {
			continue
		}
		backlog = append(backlog, r.kept...)
		r.kept = nil
		for now := time.Now().UnixMilli(); next <= now; next += step {
			backlog = append(backlog, r.host.Round(next))
		}
		wait(ctx, time.Now().Add(rand.N(longestWait)).UnixMilli(), end) //nolint:gosec // spreads the returns
		behind = make(chan []*monitoringv1.Samples, 1)
		go func(rounds []*monitoringv1.Samples) { behind <- s.catchUp(ctx, r, rounds) }(backlog)
		backlog = nil
	}
	if behind != nil {
		backlog = append(backlog, <-behind...)
	}
	if len(backlog) > 0 && ctx.Err() == nil {
		return errors.New("the server is not back at the end of the simulation")
	}
	return nil
}

// stream is one stream of live reports, acknowledged.
func (s *simulation) stream(ctx context.Context, r *reporter, next *int64, step int64, end time.Time) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	until := time.Now().Add(liveFor/2 + rand.N(liveFor/2)) //nolint:gosec // spreads the acknowledgements
	for time.Now().Before(until) && wait(ctx, *next, end) {
		s.Counts.Late.Store(time.Now().UnixMilli() - *next)
		at, err := r.send(*next, step, time.Now().UnixMilli()+1)
		*next = at
		if err != nil {
			r.cancel()
			return err
		}
	}
	return r.acknowledge()
}

// catchUp sends rounds over a stream of their own and returns those that it could
// not.
func (s *simulation) catchUp(ctx context.Context, r *reporter, rounds []*monitoringv1.Samples) []*monitoringv1.Samples {
	other := &reporter{simulation: s, host: r.host, server: r.server}
	if err := other.open(ctx); err != nil {
		return rounds
	}
	err := other.transmit(&monitoringv1.ReportRequest{Samples: rounds})
	if err != nil {
		other.cancel()
		return rounds
	}
	for _, round := range rounds {
		other.sent += uint64(len(round.GetValues()))
	}
	s.Counts.Sent.Add(other.sent)
	if other.acknowledge() != nil {
		return rounds
	}
	return nil
}
