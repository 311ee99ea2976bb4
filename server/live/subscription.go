package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// What a subscription holds for a reader that is behind. Beyond either bound the
// oldest goes.
const (
	queueSamples = 1 << 16
	queueAge     = 30 * time.Second
)

// Subscription receives what is published to a [Hub], filtered by selectors.
// One goroutine reads it: by [Subscription.Next], or by waiting for
// [Subscription.Wake] and then taking what there is. Close it when done.
type Subscription struct {
	hub   *Hub
	group *group
	place int           // among the group's members
	wake  chan struct{} // holds at most one token

	mu      sync.Mutex
	closed  bool
	queue   []queued // oldest first
	spare   []queued // the reader's, to be the next queue
	samples int      // in the queue
	dropped int      // samples lost since the last Next
}

// queued is a round that waits.
type queued struct {
	round *Round
	at    time.Time
}

// Subscribe starts a subscription to all series that a selector chooses, of
// hosts that come later too. No selector chooses everything.
func (h *Hub) Subscribe(selectors ...metric.Selector) *Subscription {
	sub := &Subscription{hub: h, wake: make(chan struct{}, 1)}
	h.join(sub, selectors)
	return sub
}

// Close ends the subscription. Nothing is received after it.
func (s *Subscription) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		s.hub.leave(s)
	}
}

// push queues a round, dropping the oldest when the reader is too far behind.
func (s *Subscription) push(r *Round, now time.Time) {
	s.mu.Lock()
	s.queue = append(s.queue, queued{r, now})
	s.samples += len(r.all)
	stale, before := 0, s.dropped
	for _, q := range s.queue[:len(s.queue)-1] {
		if s.samples <= queueSamples && now.Sub(q.at) <= queueAge {
			break
		}
		s.samples -= len(q.round.all)
		s.dropped += len(q.round.Samples())
		stale++
	}
	if stale > 0 {
		s.queue = slices.Delete(s.queue, 0, stale)
	}
	if lost := s.dropped - before; lost > 0 {
		s.hub.dropped.Add(int64(lost))
		if before == 0 {
			s.hub.overflows.Add(1)
		}
	}
	s.mu.Unlock()
	s.Rouse()
}

// Wake receives when there may be something to [Subscription.Take], and after
// [Subscription.Rouse].
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Rouse wakes the reader.
func (s *Subscription) Rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Take appends the rounds that wait to buf, oldest first, without those of which
// no series is chosen. dropped is how many samples were lost before them because
// the reader was behind. It does not wait.
func (s *Subscription) Take(buf []*Round) (rounds []*Round, dropped int) {
	s.mu.Lock()
	queue := s.queue
	dropped = s.dropped
	s.queue, s.spare, s.samples, s.dropped = s.spare[:0], nil, 0, 0
	s.mu.Unlock()
	for _, q := range queue {
		if len(q.round.Samples()) > 0 {
			buf = append(buf, q.round)
		}
	}
	clear(queue)
	if cap(queue) <= 16 {
		s.mu.Lock()
		s.spare = queue[:0]
		s.mu.Unlock()
	}
	return buf, dropped
}

// Next waits for samples that a selector chooses and appends them to buf,
// oldest first. dropped is how many were lost before them because the reader was
// behind. It returns ctx's cause when ctx ends first.
func (s *Subscription) Next(ctx context.Context, buf []metric.Sample) (samples []metric.Sample, dropped int, err error) {
	samples = buf
	for {
		rounds, lost := s.Take(nil)
		dropped += lost
		for _, r := range rounds {
			samples = append(samples, r.Samples()...)
		}
		if len(samples) > len(buf) || dropped > 0 {
			return samples, dropped, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return samples, 0, context.Cause(ctx)
		}
	}
}

// Number gives the series of samples their numbers, which they keep for as long as
// there is a subscription with the same choice; most is one more than the largest.
func (s *Subscription) Number(samples []metric.Sample) (numbers []uint32, most uint32) {
	return s.group.number(samples)
}

// Series returns the series with the numbers from first on, up to the one before
// end; nil for one that was forgotten since it had its number.
func (s *Subscription) Series(first, end uint32) []*metric.Series { return s.group.between(first, end) }
