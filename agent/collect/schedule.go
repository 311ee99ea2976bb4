package collect

import (
	"context"
	"errors"
	"time"
)

// schedule spaces out the work of a slow source. Between two runs it answers
// with the error of the last, so that a failure lasts until a run succeeds.
//
// The time between runs is [SlowInterval] or, where the work is dear (a scan
// of thousands of processes, a sensor behind a slow bus), as many of those as
// keep it to a thousandth of one core, but no more than slowest.
type schedule struct {
	runs int
	next time.Duration
	cost time.Duration // of a run, smoothed
	err  error
}

const (
	costShare = 1000
	slowest   = time.Minute
)

// errUnfinished stands for a run that panicked.
var errUnfinished = errors.New("the last measurement did not finish")

// run does the work if it is due.
func (s *schedule) run(ctx context.Context, at time.Duration, work func() error) error {
	if !s.due(at) {
		return s.err
	}
	s.err = errUnfinished
	began := time.Now()
	err := work()
	s.spend(at, time.Since(began))
	if s.err = err; ctx.Err() != nil {
		s.err = nil // interrupted, which says nothing of the work
	}
	return err
}

// due reports whether the work is to be done in this round. The first two
// rounds always do it: the first takes the baseline, the second gives the
// first rates. A round may come a little early, so a tenth of the interval is
// let off.
func (s *schedule) due(at time.Duration) bool {
	if s.runs >= 2 && at < s.next-SlowInterval/10 {
		return false
	}
	s.runs++
	s.next = at + SlowInterval
	return true
}

// spend notes what a run cost and puts off the next accordingly. The very
// first run says little, as the kernel's caches were cold; later a dear run may
// be a busy host's doing, so it counts for an eighth.
func (s *schedule) spend(at, took time.Duration) {
	if s.runs <= 2 {
		s.cost = took
	}
	s.cost += (took - s.cost) / 8
	intervals := 1 + (s.cost*costShare-1)/SlowInterval
	s.next = at + min(slowest, max(1, intervals)*SlowInterval)
}
