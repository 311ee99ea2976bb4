package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"
)

// DefaultHeartbeat is how long a live stream stays quiet before it says that it is
// there.
const DefaultHeartbeat = 15 * time.Second

// MaxHeartbeat is the longest that it may be: readers take 35 seconds of silence for
// the end of a stream.
const MaxHeartbeat = 30 * time.Second

// updateSamples is how many samples an update carries at most, which keeps it
// well below anybody's message limit.
const updateSamples = 5000

// LiveService implements monitoring.v1.LiveService.
type LiveService struct {
	Live  Live
	Types Types
	// Heartbeat is how long a stream stays quiet, at most [MaxHeartbeat]. Default:
	// [DefaultHeartbeat].
	Heartbeat time.Duration
}

// Types knows the units of metric types.
type Types interface {
	Unit(metricType string) metric.Unit
}

var _ monitoringv1connect.LiveServiceHandler = (*LiveService)(nil)

// Subscribe sends the samples of a fixed choice of series.
func (l *LiveService) Subscribe(ctx context.Context, req *monitoringv1.SubscribeRequest, stream monitoringv1connect.LiveServiceSubscribeServerStream) error {
	encoded := speaksProto(ctx)
	f := &feed{l, func(m *message) error { return stream.Send(m.forSubscribe(encoded)) }}
	return f.follow(ctx, choice{selectors(req.GetSelectors()), req.GetInterval()})
}

// Watch is Subscribe whose choice changes with each request.
func (l *LiveService) Watch(ctx context.Context, stream monitoringv1connect.LiveServiceWatchServerStream) error {
	encoded := speaksProto(ctx)
	f := &feed{l, func(m *message) error { return stream.Send(m.forWatch(encoded)) }}
	requests := receiveAll(ctx, stream.Receive)
	first, err := next(ctx, requests)
	if err != nil {
		return ignoreEOF(err)
	}
	choices := make(chan received[choice])
	go func() {
		defer close(choices)
		for r := range requests {
			c := received[choice]{err: r.err}
			if r.err == nil {
				c.msg = choice{selectors(r.msg.GetSelectors()), r.msg.GetInterval()}
			}
			select {
			case choices <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
	return f.run(ctx, choice{selectors(first.GetSelectors()), first.GetInterval()}, choices)
}

// choice is what a caller wants to see.
type choice struct {
	selectors []metric.Selector
	interval  *durationpb.Duration
}

func selectors(in []*monitoringv1.Selector) []metric.Selector {
	var out []metric.Selector
	for _, s := range in {
		out = append(out, metric.Selector{
			Hosts: metric.Match{Names: s.GetHostnames(), Prefixes: s.GetHostnamePrefixes()},
			Types: metric.Match{Names: s.GetMetricTypes(), Prefixes: s.GetMetricTypePrefixes()},
		})
	}
	return out
}

// feed is one live stream: it tells series by their numbers, and packs samples into
// updates.
type feed struct {
	service *LiveService
	send    func(*message) error
}

// errChanged ends a run of follow because the caller has chosen anew.
var errChanged = errors.New("the choice has changed")

// run follows the first choice and then each that comes by changes, until the
// caller or the server ends the stream.
func (f *feed) run(ctx context.Context, c choice, changes <-chan received[choice]) error {
	for {
		inner, cancel := context.WithCancelCause(ctx)
		var changed received[choice]
		watching := make(chan struct{})
		go func() {
			defer close(watching)
			select {
			case r, ok := <-changes:
				if ok {
					changed = r
					cancel(errChanged)
				}
			case <-inner.Done():
			}
		}()
		err := f.follow(inner, c)
		cancel(nil)
		<-watching
		switch {
		case !errors.Is(err, errChanged):
			return err
		case errors.Is(changed.err, io.EOF):
			changes = nil // the caller has no more to say and goes on listening
		case changed.err != nil:
			return changed.err
		default:
			c = changed.msg
		}
	}
}

// follow sends a snapshot and then what comes, until ctx ends.
func (f *feed) follow(ctx context.Context, c choice) error {
	sub := f.service.Live.Subscribe(c.selectors...)
	defer sub.Close()
	t := &teller{service: f.service, sub: sub}
	if err := f.sendAll(t.updates(f.service.Live.Snapshot(c.selectors...), 0, true)); err != nil {
		return err
	}
	beat := cmp.Or(f.service.Heartbeat, DefaultHeartbeat)
	if interval := c.interval.AsDuration(); interval > 0 {
		return f.pace(ctx, t, interval, beat)
	}
	s := newSilence(beat, sub.Rouse)
	defer s.timer.Stop()
	defer context.AfterFunc(ctx, sub.Rouse)()
	var rounds []*live.Round
	for {
		// It wakes for the end of ctx and of the silence too: a select would cost as
		// much as all else here.
		<-sub.Wake()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var dropped int
		rounds, dropped = sub.Take(rounds[:0])
		if over := s.isOver(); len(rounds) == 0 && dropped == 0 && !over {
			continue
		}
		if err := f.sendRounds(t, rounds, dropped); err != nil {
			return err
		}
		clear(rounds)
		s.since = time.Now()
	}
}

// breath is how long a paced stream leaves what comes in its subscription, which
// holds it for half a minute.
const breath = 5 * time.Second

// pace sends the newest of each series that came in, once each interval, and that it
// is there where that is longer than beat.
func (f *feed) pace(ctx context.Context, t *teller, interval, beat time.Duration) error {
	var rounds []*live.Round
	var newest []metric.Sample
	lost := 0
	sent := time.Now() // whatever it was
	for due := sent.Add(interval); ; {
		var wake <-chan struct{}
		wait := min(time.Until(due), breath)
		if wait <= 0 { // the next sample may go at once
			wake, wait = t.sub.Wake(), beat
		}
		if err := pause(ctx, min(wait, time.Until(sent.Add(beat))), wake); err != nil {
			return err
		}
		var dropped int
		rounds, dropped = t.sub.Take(rounds[:0])
		lost += dropped
		for _, r := range rounds {
			newest = append(newest, r.Samples()...)
		}
		clear(rounds)
		newest = newestOfEach(newest)
		now := time.Now()
		switch over := now.Sub(sent) >= beat; {
		case !now.Before(due) && (len(newest) > 0 || lost > 0):
			if err := f.sendAll(t.updates(newest, lost, false)); err != nil {
				return err
			}
			newest, lost = newest[:0], 0
			sent = time.Now()
			due = sent.Add(interval)
		case over:
			if err := f.sendAll(t.updates(nil, 0, false)); err != nil {
				return err
			}
			sent = time.Now()
		}
	}
}

// pause waits for d or for wake, whatever comes first.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// silence notices that a stream has said nothing for long. Its timer runs on past
// messages, which only note when they were.
type silence struct {
	longest time.Duration
	since   time.Time // when something was sent last
	timer   *time.Timer
	fired   atomic.Bool
}

// newSilence begins one; rouse is called when it may be over.
func newSilence(longest time.Duration, rouse func()) *silence {
	s := &silence{longest: longest, since: time.Now()}
	s.timer = time.AfterFunc(longest, func() {
		s.fired.Store(true)
		rouse()
	})
	return s
}

// isOver reports whether it has lasted, once each time that it has.
func (s *silence) isOver() bool {
	if !s.fired.Load() {
		return false
	}
	s.fired.Store(false)
	if left := s.longest - time.Since(s.since); left > 0 {
		s.timer.Reset(left)
		return false
	}
	s.timer.Reset(s.longest)
	return true
}

// sendRounds sends what came in. One round is the same message for all who are as
// far as this stream; several are packed anew.
func (f *feed) sendRounds(t *teller, rounds []*live.Round, dropped int) error {
	if len(rounds) == 1 && dropped == 0 {
		if m := t.shared(rounds[0]); m != nil {
			return f.send(m)
		}
	}
	var samples []metric.Sample
	for _, r := range rounds {
		samples = append(samples, r.Samples()...)
	}
	return f.sendAll(t.updates(samples, dropped, false))
}

func (f *feed) sendAll(updates []*monitoringv1.Update) error {
	for _, u := range updates {
		if err := f.send(&message{update: u}); err != nil {
			return err
		}
	}
	return nil
}

// newestOfEach keeps the last sample of each series, in place.
func newestOfEach(samples []metric.Sample) []metric.Sample {
	place := make(map[*metric.Series]int, len(samples))
	out := samples[:0]
	for _, s := range samples {
		if i, ok := place[s.Series]; ok {
			out[i] = s
			continue
		}
		place[s.Series] = len(out)
		out = append(out, s)
	}
	return out
}
