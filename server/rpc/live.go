package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
)

// DefaultHeartbeat is how long a live stream stays quiet before it says that it is
// there.
const DefaultHeartbeat = 15 * time.Second

// updateSamples is how many samples an update carries at most, which keeps it
// well below anybody's message limit.
const updateSamples = 5000

// LiveService implements monitoring.v1.LiveService.
type LiveService struct {
	Live  Live
	Types Types
	// Heartbeat is how long a stream stays quiet. Default: [DefaultHeartbeat].
	Heartbeat time.Duration
}

// Types knows the units of metric types.
type Types interface {
	Unit(metricType string) metric.Unit
}

var _ monitoringv1connect.LiveServiceHandler = (*LiveService)(nil)

// Subscribe sends the samples of a fixed choice of series.
func (l *LiveService) Subscribe(ctx context.Context, req *monitoringv1.SubscribeRequest, stream monitoringv1connect.LiveServiceSubscribeServerStream) error {
	f := newFeed(l, func(u *monitoringv1.Update) error {
		return stream.Send(&monitoringv1.SubscribeResponse{Update: u})
	})
	return f.run(ctx, choice{selectors(req.GetSelectors()), req.GetInterval()}, nil)
}

// Watch is Subscribe whose choice changes with each request.
func (l *LiveService) Watch(ctx context.Context, stream monitoringv1connect.LiveServiceWatchServerStream) error {
	f := newFeed(l, func(u *monitoringv1.Update) error {
		return stream.Send(&monitoringv1.WatchResponse{Update: u})
	})
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

// feed is one live stream: it numbers the series and packs samples into updates.
type feed struct {
	service *LiveService
	send    func(*monitoringv1.Update) error
	ids     map[*metric.Series]uint32
}

func newFeed(l *LiveService, send func(*monitoringv1.Update) error) *feed {
	return &feed{service: l, send: send, ids: map[*metric.Series]uint32{}}
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
	if err := f.sendSamples(f.service.Live.Snapshot(c.selectors...), 0, true); err != nil {
		return err
	}
	heartbeat := cmp.Or(f.service.Heartbeat, DefaultHeartbeat)
	interval := c.interval.AsDuration()
	var pace <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		pace = ticker.C
	}
	var samples []metric.Sample
	for {
		if pace != nil {
			select {
			case <-pace:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		quiet, cancel := context.WithTimeout(ctx, heartbeat)
		var dropped int
		var err error
		samples, dropped, err = sub.Next(quiet, samples[:0])
		cancel()
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if pace != nil {
			samples = newestOfEach(samples)
		}
		if err := f.sendSamples(samples, dropped, false); err != nil {
			return err
		}
	}
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

// sendSamples sends samples in as many updates as they need, at least one.
func (f *feed) sendSamples(samples []metric.Sample, dropped int, snapshot bool) error {
	for {
		part := samples[:min(len(samples), updateSamples)]
		samples = samples[len(part):]
		u := f.update(part)
		u.Dropped = uint64(dropped)
		dropped = 0
		u.SnapshotComplete = snapshot && len(samples) == 0
		if err := f.send(u); err != nil || len(samples) == 0 {
			return err
		}
	}
}

// update packs samples, naming the series that the stream has not named yet.
func (f *feed) update(samples []metric.Sample) *monitoringv1.Update {
	u := &monitoringv1.Update{ServerTime: timestamppb.Now()}
	var group *monitoringv1.Samples
	var at int64
	for _, s := range samples {
		if group == nil || s.Time != at {
			at = s.Time
			group = &monitoringv1.Samples{Time: timestamppb.New(time.UnixMilli(at))}
			u.Samples = append(u.Samples, group)
		}
		id, known := f.ids[s.Series]
		if !known {
			id = uint32(len(f.ids))
			f.ids[s.Series] = id
			u.Series = append(u.Series, &monitoringv1.SeriesDefinition{Id: id, Series: f.service.series(s.Series)})
		}
		group.SeriesIds = append(group.SeriesIds, id)
		group.Values = append(group.Values, s.Value)
	}
	return u
}

func (l *LiveService) series(s *metric.Series) *monitoringv1.Series {
	return seriesMessage(s, l.Types.Unit(s.Type))
}

func seriesMessage(s *metric.Series, unit metric.Unit) *monitoringv1.Series {
	return &monitoringv1.Series{
		MetricType: s.Type,
		Hostname:   s.Host,
		Labels:     labelMap(s.Labels),
		Unit:       string(unit),
	}
}

func labelMap(labels metric.Labels) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	m := make(map[string]string, len(labels))
	for _, l := range labels {
		m[l.Name] = l.Value
	}
	return m
}

func labelsOf(m map[string]string) metric.Labels {
	var pairs []string
	for name, value := range m {
		pairs = append(pairs, name, value)
	}
	return metric.NewLabels(pairs...)
}
