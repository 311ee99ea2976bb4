package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/client/balance"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// The times of [Client.Follow].
const (
	// followSilence is how long a stream may be quiet: the server sends something
	// every 15 seconds, or every 30 at most.
	followSilence = 35 * time.Second
	// followMinWait and followMaxWait bound the wait before a stream that could not
	// be opened is tried again.
	followMinWait = 100 * time.Millisecond
	followMaxWait = 2 * time.Second
)

// fillAfter are the times after a break, each from the one before, at which history
// is asked for what was missed. Once is not enough: agents move to another server
// too, and bring it what they have kept only when they are there.
var fillAfter = []time.Duration{0, time.Second, 2 * time.Second, 7 * time.Second, 20 * time.Second}

// lateness is how long after a break an agent may bring what it has kept: the sum of
// fillAfter.
const lateness = 30 * time.Second

// Batch is what [Client.Follow] gives at a time.
type Batch struct {
	// Samples are new: none of them was given before. Those of a series are in
	// order, but for those that were filled in.
	Samples []metric.Sample
	// Filled says that they come from history: they were observed while the stream
	// was away or its reader too slow.
	Filled bool
	// Interrupted, if not nil, is why the stream broke. It is being opened again,
	// and the batch has no samples.
	Interrupted error
}

// Follow gives the samples of a choice of series as they come in, beginning with
// the newest of each, until ctx ends or the loop is left.
//
// When the stream breaks it is opened again, at another server if there is one
// ([NewBalanced]), and what came in meanwhile is read from that server's history: no
// sample is given twice, and none is missing that the server gets within half a
// minute of the break. The same is done when the reader was too slow and the server
// dropped samples.
//
// It ends with an error, the last pair, only when trying again would not help, as
// with a request that is wrong. It ends without one when ctx does.
func (c *Client) Follow(ctx context.Context, req *monitoringv1.SubscribeRequest) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		f := &follower{client: c, request: proto.CloneOf(req), yield: yield, marks: map[string]int64{}}
		defer f.work.Wait()
		defer cancel()
		err := f.run(ctx)
		if err != nil && !errors.Is(err, errLeft) && ctx.Err() == nil {
			yield(Batch{}, err)
		}
	}
}

// errLeft says that the reader has left the loop.
var errLeft = errors.New("the reader has left")

// follower is one loop over [Client.Follow].
type follower struct {
	client  *Client
	request *monitoringv1.SubscribeRequest
	yield   func(Batch, error) bool
	work    sync.WaitGroup

	marks map[string]int64 // the time of the newest sample given, by series
	heard time.Time        // when something came last, by the server's clock
	since time.Time        // the same by this machine's
	broke time.Time        // when a stream broke last, by this machine's clock
	gap   *gap             // nil when nothing is missing
}

// gap is a time of which samples may be missing.
type gap struct {
	from  time.Time                     // by the server's clock
	marks map[string]int64              // what was given when it began, by series
	known int64                         // a series without a mark has given all up to that time
	seen  map[string]map[int64]struct{} // what was given since
	fills int                           // how often history was asked
	read  time.Time                     // up to when it was read last, since the last break; zero: not yet
}

// run opens stream after stream.
func (f *follower) run(ctx context.Context) error {
	wait := followMinWait
	for {
		opened, err := f.stream(balance.Resumable(balance.Stay(ctx)))
		switch {
		case ctx.Err() != nil || errors.Is(err, errLeft):
			return err
		case !passing(err):
			return err
		case opened:
			wait = followMinWait
		}
		if !f.yield(Batch{Interrupted: err}, nil) {
			return errLeft
		}
		f.interrupted()
		select {
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // spreads load, hides nothing
			wait = min(2*wait, followMaxWait)
		case <-ctx.Done():
			return nil
		}
	}
}

// passing reports whether a stream that ended with err may be opened again.
func passing(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodeUnimplemented, connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeNotFound:
		return false
	}
	return true
}

// miss notes that samples may be missing from now on. What is missing already still
// is.
func (f *follower) miss() {
	if f.heard.IsZero() {
		return // there was nothing yet
	}
	if f.gap == nil {
		f.gap = &gap{from: f.heard, marks: maps.Clone(f.marks), known: f.heard.UnixMilli(), seen: map[string]map[int64]struct{}{}}
	}
	f.gap.fills = 0
}

// interrupted notes that a stream broke. What agents bring now may be of before, so
// what was read of history before says nothing any more.
func (f *follower) interrupted() {
	f.broke = time.Now()
	f.miss()
	if f.gap != nil {
		f.gap.read = time.Time{}
	}
}

// missAgain is miss for samples that the server dropped. A reader that is always too
// slow has a gap that never closes: what history has given of it need not be read
// again, but for what agents bring late after a break.
func (f *follower) missAgain() {
	if f.gap != nil && !f.gap.read.IsZero() && time.Since(f.broke) > lateness {
		f.gap.moveTo(f.gap.read.Add(-lateness))
	}
	f.miss()
}

// moveTo lets the gap begin later: everything before was given. What was seen before
// any sample that is read from now on becomes marks.
func (g *gap) moveTo(from time.Time) {
	if !from.After(g.from) {
		return
	}
	g.from = from
	before := from.Add(-fillSlack).UnixMilli()
	g.known = max(g.known, before)
	for key, seen := range g.seen {
		mark, marked := g.marks[key]
		for at := range seen {
			if at < before {
				delete(seen, at)
				if !marked || at > mark {
					mark, marked = at, true
				}
			}
		}
		if marked {
			g.marks[key] = mark
		}
		if len(seen) == 0 {
			delete(g.seen, key)
		}
	}
}

// stream reads one stream to its end, and fills the gap before it; opened says
// whether anything came.
func (f *follower) stream(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	live, err := f.client.Live().Subscribe(ctx, f.request)
	if err != nil {
		return false, err
	}
	defer func() { _ = live.Close() }() // the stream's own error has been seen
	updates, ended := make(chan *monitoringv1.Update), make(chan error, 1)
	f.work.Go(func() {
		for {
			res, err := live.Receive()
			if err != nil {
				ended <- err
				return
			}
			select {
			case updates <- res.GetUpdate():
			case <-ctx.Done():
				return
			}
		}
	})
	silence := time.AfterFunc(followSilence, func() {
		cancel(fmt.Errorf("nothing came from the server for %s", followSilence))
	})
	defer silence.Stop()

	series := map[uint32]*metric.Series{}
	filled := make(chan filling)
	var due <-chan time.Time
	for {
		select {
		case err := <-ended:
			return opened, err
		case <-ctx.Done():
			return opened, context.Cause(ctx)
		case u := <-updates:
			silence.Reset(followSilence)
			if err := f.take(u, series); err != nil {
				return true, err
			}
			if due == nil && f.gap != nil && f.gap.fills == 0 {
				due = time.After(0)
			}
			opened = true
		case <-due:
			missed := f.missed()
			f.work.Go(func() { f.fill(ctx, f.request, missed, filled) })
			due = never
		case part := <-filled:
			if err := f.takeFilled(part); err != nil {
				return true, err
			}
			if part.last {
				due = f.closeFilling(part)
			}
		}
	}
}

// never is due at no time: a filling runs.
var never = make(<-chan time.Time)

// closeFilling takes the last part of a filling and says when to ask history again;
// nil when the gap counts as closed.
func (f *follower) closeFilling(part filling) <-chan time.Time {
	f.gap.read = cmp.Or(part.upTo, f.gap.read)
	f.gap.fills++
	if f.gap.fills < len(fillAfter) {
		return time.After(fillAfter[f.gap.fills])
	}
	f.gap = nil
	return nil
}

// take gives what a stream has sent.
func (f *follower) take(u *monitoringv1.Update, series map[uint32]*metric.Series) error {
	for _, d := range u.GetSeries() {
		s := d.GetSeries()
		series[d.GetId()] = newSeries(s.GetMetricType(), s.GetHostname(), s.GetLabels())
	}
	if u.GetDropped() > 0 {
		f.missAgain()
	}
	var fresh []metric.Sample
	for _, group := range u.GetSamples() {
		at := group.GetTime().AsTime().UnixMilli()
		for i, id := range group.GetSeriesIds() {
			if s := series[id]; s != nil && f.isNew(s, at, false) {
				fresh = append(fresh, metric.Sample{Series: s, Time: at, Value: group.GetValues()[i]})
			}
		}
	}
	f.heard, f.since = u.GetServerTime().AsTime(), time.Now()
	return f.give(Batch{Samples: fresh})
}

func (f *follower) give(b Batch) error {
	if len(b.Samples) > 0 && !f.yield(b, nil) {
		return errLeft
	}
	return nil
}

// isNew reports whether a sample was not given yet, and notes that it is now.
func (f *follower) isNew(s *metric.Series, at int64, filled bool) bool {
	key := s.Key()
	mark, known := f.marks[key]
	if f.gap == nil {
		if known && at <= mark {
			return false
		}
		f.marks[key] = at
		return true
	}
	before, was := f.gap.marks[key]
	if was && at <= before || !was && filled && at <= f.gap.known {
		return false
	}
	seen := f.gap.seen[key]
	if _, twice := seen[at]; twice {
		return false
	}
	if seen == nil {
		seen = map[int64]struct{}{}
		f.gap.seen[key] = seen
	}
	seen[at] = struct{}{}
	if !known || at > mark {
		f.marks[key] = at
	}
	return true
}

// newSeries makes a series of what a message says of it.
func newSeries(metricType, host string, labels map[string]string) *metric.Series {
	var pairs []string
	for name, value := range labels {
		pairs = append(pairs, name, value)
	}
	return metric.NewSeries(metricType, host, metric.NewLabels(pairs...))
}
