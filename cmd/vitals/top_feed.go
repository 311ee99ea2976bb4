package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/client/balance"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
)

// The feed's times.
const (
	// topFlush is how often what came in is drawn.
	topFlush = 100 * time.Millisecond
	// topSilence is how long a stream may be quiet: the server sends something
	// every 15 seconds, or every 30 at most.
	topSilence = 35 * time.Second
	// topListInterval is how often the list of hosts is asked for.
	topListInterval = 5 * time.Second
	// topPastSpan is how much of the past the sparklines begin with.
	topPastSpan = 2 * time.Minute
	// topRetryMax is the longest wait before a broken stream is opened again.
	topRetryMax = 5 * time.Second
)

// topFeed keeps a stream to the server open and sends what comes to the screen.
type topFeed struct {
	live     monitoringv1connect.LiveServiceClient
	query    monitoringv1connect.QueryServiceClient
	interval time.Duration
	send     func(tea.Msg)

	mu      sync.Mutex
	choice  topChoice
	changed chan struct{} // holds at most one token
}

// choose changes what the stream brings, now and after each reconnection.
func (f *topFeed) choose(c topChoice) {
	f.mu.Lock()
	f.choice = c
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *topFeed) current() topChoice {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.choice
}

// run opens stream after stream until ctx ends.
func (f *topFeed) run(ctx context.Context) {
	f.send(topLink{state: linkConnecting, since: time.Now()})
	wait := time.Second
	var lost time.Time
	for {
		heard, err := f.stream(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard || lost.IsZero() {
			wait, lost = time.Second, time.Now()
		}
		f.send(topLink{state: linkLost, since: lost, err: err})
		// Not all at once when a server comes back to many readers.
		jitter := rand.N(wait / 4) //nolint:gosec // no secret hangs on it
		select {
		case <-time.After(wait + jitter):
			wait = min(2*wait, topRetryMax)
		case <-ctx.Done():
			return
		}
	}
}

// stream reads one stream to its end and reports whether anything came.
func (f *topFeed) stream(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel(nil)
	// What the stream shows and what was before it come from one server.
	ctx = balance.Resumable(balance.Stay(ctx))
	stream, err := f.live.Watch(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }() // the stream's own error has been seen
	batch := &topBatch{names: map[uint32]topReading{}}
	helpers.Go(func() { f.ask(ctx, stream, batch) })
	helpers.Go(func() { f.flush(ctx, batch) })
	silence := time.AfterFunc(topSilence, func() {
		cancel(fmt.Errorf("nothing came from the server for %s", topSilence))
	})
	defer silence.Stop()
	for {
		res, err := stream.Receive()
		switch {
		case err != nil && ctx.Err() != nil:
			return heard, context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return heard, errors.New("the server ended the stream")
		case err != nil:
			return heard, err
		}
		silence.Reset(topSilence)
		if !heard {
			heard = true
			f.send(topLink{state: linkLive, since: time.Now()})
		}
		if batch.add(res.GetUpdate()) {
			f.send(batch.take())
		}
	}
}

// ask sends the choice, and each that follows it, and fetches what was before.
func (f *topFeed) ask(ctx context.Context, stream monitoringv1connect.LiveServiceWatchClientStream, batch *topBatch) {
	var fetching sync.WaitGroup
	defer fetching.Wait()
	// While the transport waits for a request to send it does not see that ctx has
	// ended, and Receive would wait for the server's next word.
	defer func() { _ = stream.CloseSend() }() // Receive has the error, if there is one
	var asked uint64
	for {
		if choice := f.current(); choice.id != asked {
			asked = choice.id
			batch.expect(choice.id)
			if stream.Send(choice.request(f.interval)) != nil {
				return // Receive has the reason
			}
			fetching.Go(func() { f.past(ctx, choice) })
		}
		select {
		case <-f.changed:
		case <-ctx.Done():
			return
		}
	}
}

// flush hands on what came in, a few times a second: a thousand hosts are not
// a thousand drawings.
func (f *topFeed) flush(ctx context.Context, batch *topBatch) {
	ticker := time.NewTicker(topFlush)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if u := batch.take(); !u.serverTime.IsZero() {
				f.send(u)
			}
		case <-ctx.Done():
			return
		}
	}
}

// past fetches the last minutes of what is shown. A server that cannot answer, or
// will not for so many hosts, costs nothing but the beginning of the sparklines.
func (f *topFeed) past(ctx context.Context, choice topChoice) {
	selector := metric.CPU
	if choice.host != "" {
		selector = fmt.Sprintf("{%s=%q}", metric.HostLabel, choice.host)
	}
	now := time.Now()
	res, err := f.query.QueryRange(ctx, &monitoringv1.QueryRangeRequest{
		Selector: selector, MaxPoints: 2 * trackPoints,
		Start: timestamppb.New(now.Add(-topPastSpan)), End: timestamppb.New(now),
	})
	if err != nil {
		return
	}
	past := topPast{step: res.GetStep().AsDuration()}
	for _, s := range res.GetSeries() {
		r := seriesReading(s.GetSeries())
		for i, t := range s.GetTimes() {
			r.time, r.value = int64(t*1000), s.GetAverages()[i]
			past.readings = append(past.readings, r)
		}
	}
	f.send(past)
}

// list asks for the hosts every few seconds until ctx ends.
func (f *topFeed) list(ctx context.Context) {
	ticker := time.NewTicker(topListInterval)
	defer ticker.Stop()
	for {
		res, err := f.query.ListHosts(ctx, &monitoringv1.ListHostsRequest{})
		if ctx.Err() != nil {
			return
		}
		f.send(topHosts{res, err})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
