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
// One goroutine reads it; close it when done.
type Subscription struct {
	hub       *Hub
	selectors metric.Selectors
	wake      chan struct{} // holds at most one token

	mu      sync.Mutex
	queue   []queued // oldest first
	samples int      // in the queue
	dropped int      // samples lost since the last Next
}

// queued is a round that waits. Its samples are shared between subscriptions and
// never changed.
type queued struct {
	samples []metric.Sample
	at      time.Time
}

// Subscribe starts a subscription to all series that a selector chooses, of
// hosts that come later too. No selector chooses everything.
func (h *Hub) Subscribe(selectors ...metric.Selector) *Subscription {
	sub := &Subscription{hub: h, selectors: selectors, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	h.subs[sub] = struct{}{}
	h.mu.Unlock()
	// A host that is made between these two steps has the subscription already,
	// hence the check in attach.
	for _, hs := range h.matching(sub.selectors) {
		hs.attach(sub)
	}
	return sub
}

func (hs *host) attach(sub *Subscription) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if !slices.Contains(hs.subs, sub) {
		hs.subs = append(slices.Clip(hs.subs), sub)
	}
}

func (hs *host) detach(sub *Subscription) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if i := slices.Index(hs.subs, sub); i >= 0 {
		hs.subs = slices.Concat(hs.subs[:i], hs.subs[i+1:])
	}
}

// Close ends the subscription. Nothing is received after it.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	delete(s.hub.subs, s)
	s.hub.mu.Unlock()
	for _, hs := range s.hub.matching(s.selectors) {
		hs.detach(s)
	}
}

// push queues a round, dropping the oldest when the reader is too far behind.
func (s *Subscription) push(samples []metric.Sample) {
	now := time.Now()
	s.mu.Lock()
	s.queue = append(s.queue, queued{samples, now})
	s.samples += len(samples)
	stale, before := 0, s.dropped
	for _, q := range s.queue[:len(s.queue)-1] {
		if s.samples <= queueSamples && now.Sub(q.at) <= queueAge {
			break
		}
		s.samples -= len(q.samples)
		s.dropped += s.matches(q.samples)
		stale++
	}
	s.queue = slices.Delete(s.queue, 0, stale)
	if lost := s.dropped - before; lost > 0 {
		s.hub.dropped.Add(int64(lost))
		if before == 0 {
			s.hub.overflows.Add(1)
		}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Subscription) matches(round []metric.Sample) int {
	n := 0
	for _, sample := range round {
		if s.selectors.Matches(sample.Series) {
			n++
		}
	}
	return n
}

// Next waits for samples that a selector chooses and appends them to buf,
// oldest first. dropped is how many were lost before them because the reader was
// behind. It returns ctx's cause when ctx ends first.
func (s *Subscription) Next(ctx context.Context, buf []metric.Sample) (samples []metric.Sample, dropped int, err error) {
	samples = buf
	for {
		rounds, lost := s.take()
		dropped += lost
		for _, round := range rounds {
			for _, sample := range round.samples {
				if s.selectors.Matches(sample.Series) {
					samples = append(samples, sample)
				}
			}
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

// take empties the queue.
func (s *Subscription) take() (rounds []queued, dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rounds, dropped = s.queue, s.dropped
	s.queue, s.samples, s.dropped = nil, 0, 0
	return rounds, dropped
}
