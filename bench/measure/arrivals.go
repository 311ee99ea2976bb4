package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

// arrivals is what was published and what of it each subscriber has got. A
// sample's value is the time at which it was published, in microseconds.
type arrivals struct {
	values    []float64    // in the order in which they are published
	published atomic.Int64 // how many of them are
	perConn   int
	subs      []progress
	delays    [][]float64 // in milliseconds, by connection

	snapshots, arrived, dropped atomic.Int64
}

// progress is one subscriber's; its connection's goroutine has it.
type progress struct {
	begun bool // its snapshot has come
	next  int  // the sample that is due
}

func newArrivals(f fan, samples int) *arrivals {
	return &arrivals{values: make([]float64, max(samples, 1)), perConn: f.subscribers / f.conns, subs: make([]progress, f.subscribers), delays: make([][]float64, f.conns)}
}

// take checks a message of a subscriber: it must have the samples that are due,
// save those which it says are lost.
func (a *arrivals) take(stream int, message []byte) error {
	now := time.Now()
	var res monitoringv1.SubscribeResponse
	if err := proto.Unmarshal(message, &res); err != nil {
		return err
	}
	u, p := res.GetUpdate(), &a.subs[stream]
	if !p.begun {
		return a.begin(u, p)
	}
	p.next += int(u.GetDropped())            //nolint:gosec // a count
	a.dropped.Add(int64(u.GetDropped()))     //nolint:gosec // a count
	for _, samples := range u.GetSamples() { // none in a sign of life
		for _, value := range samples.GetValues() {
			if p.next >= int(a.published.Load()) || a.values[p.next] != value {
				return fmt.Errorf("sample %d of a subscriber is %.0f, which was not published so", p.next, value)
			}
			p.next++
			conn := stream / a.perConn
			a.delays[conn] = append(a.delays[conn], float64(now.UnixMicro())/1000-value/1000)
			a.arrived.Add(1) // last: once all have arrived, the delays are read
		}
	}
	return nil
}

func (a *arrivals) begin(u *monitoringv1.Update, p *progress) error {
	if !u.GetSnapshotComplete() || len(u.GetSeries()) != 1 || len(u.GetSamples()) != 1 {
		return fmt.Errorf("a snapshot is %v; want one series with a sample", u)
	}
	p.begun = true
	a.snapshots.Add(1)
	return nil
}

// complete reports whether every sample has reached every subscriber, or was told
// as lost.
func (a *arrivals) complete() bool {
	return a.arrived.Load()+a.dropped.Load() == int64(len(a.values)*len(a.subs))
}

// wait waits until the condition holds, half a minute at most.
func (a *arrivals) wait(ctx context.Context, ended chan error, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !done() {
		select {
		case err := <-ended:
			ended <- err
			return errors.Join(errors.New("the streams ended early"), err)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d subscribers were answered, and %d samples arrived and %d were lost of %d each: %w",
				a.snapshots.Load(), len(a.subs), a.arrived.Load(), a.dropped.Load(), len(a.values), ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// allDelays are those of all connections. Call it when all has arrived.
func (a *arrivals) allDelays() []float64 { return slices.Concat(a.delays...) }

// publisher reports samples of the one series.
type publisher struct {
	client *client.Client
	ingest monitoringv1connect.IngestServiceClient
}

func newPublisher(c *callee) (*publisher, error) {
	out, err := client.New(c.url, client.WithProtocol(client.GRPC), as(c.operator))
	if err != nil {
		return nil, err
	}
	return &publisher{out, out.Ingest()}, nil
}

func (p *publisher) close() { p.client.Close() }

// publishAll publishes what is to arrive, at the times at which it is due.
func (p *publisher) publishAll(ctx context.Context, a *arrivals, perSecond int) error {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for i := range a.values {
		now := time.Now()
		a.values[i] = float64(now.UnixMicro())
		a.published.Store(int64(i + 1))
		if err := p.publish(ctx, now, a.values[i]); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *publisher) publish(ctx context.Context, at time.Time, value float64) error {
	res, err := p.ingest.ReportBatch(ctx, &monitoringv1.ReportBatchRequest{
		Hostname: fanHost, Samples: []*monitoringv1.CustomSample{{MetricType: fanType, Value: value, Time: timestamppb.New(at)}},
	})
	if err == nil && res.GetReceipt().GetStored() != 1 {
		err = fmt.Errorf("a sample was not stored: %v", res.GetReceipt())
	}
	return err
}
