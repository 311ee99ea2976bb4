package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/rpcload"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

const (
	// The series to which all subscribe.
	fanHost, fanType = "fan-host", "fan_value"

	subscribe = "/monitoring.v1.LiveService/Subscribe"
	// fanoutAim is the most that a message may cost of what it costs the peer.
	fanoutAim = 0.6
)

// fan is a number of subscribers to whom one series goes.
type fan struct {
	subscribers, perSecond, conns int
	full                          time.Duration // how long in a round of a full run
}

// fans are what is measured. A connection may have a thousand streams of Vitals.
var fans = []fan{
	{subscribers: 2_000, perSecond: 10, conns: 8, full: 20 * time.Second},
	{subscribers: 10_000, perSecond: 1, conns: 16, full: 30 * time.Second},
}

func (f fan) String() string {
	return fmt.Sprintf("fan-out to %d subscribers at %d Hz over %d connections", f.subscribers, f.perSecond, f.conns)
}

// fanned is what one round came to.
type fanned struct {
	cost    []float64 // CPU seconds a million messages
	net     []float64 // the same, less what the server takes when nothing comes in
	delay   []float64 // the 99th percentile from before ingest to the client, in milliseconds
	memory  []float64 // resident KiB a subscriber
	dropped int
}

// fanout sends a series to many subscribers through Vitals and through grpc-go in
// turn, each on one core. All that was sent must arrive, or be told as lost.
func (b *bench) fanout(ctx context.Context, t *result.Table) error {
	for _, f := range b.fans {
		if !b.wants(f.String()) {
			continue
		}
		peer, own, err := b.fanRounds(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		ratio := result.Ratio(own.cost, peer.cost)
		t.Add(f.String()+": CPU s a million messages", result.Spread(own.cost, "%.2f"),
			fmt.Sprintf("grpc-go %s: %s; aim %.1fx", result.Spread(peer.cost, "%.2f"), ratio, fanoutAim), result.AtMost(ratio.Median, fanoutAim))
		t.Add(f.String()+": the same, less what goes on without messages", result.Spread(own.net, "%.2f"),
			fmt.Sprintf("grpc-go %s: %s", result.Spread(peer.net, "%.2f"), result.Ratio(own.net, peer.net)), "")
		t.Add(f.String()+": p99 from ingest to client, ms", result.Spread(own.delay, "%.1f"), "grpc-go "+result.Spread(peer.delay, "%.1f"), "")
		t.Add(f.String()+": resident KiB a subscriber", result.Spread(own.memory, "%.1f"), "grpc-go "+result.Spread(peer.memory, "%.1f"), "")
		t.Add(f.String()+": samples told as lost", fmt.Sprint(own.dropped), fmt.Sprintf("grpc-go %d", peer.dropped), "")
	}
	return nil
}

func (b *bench) fanRounds(ctx context.Context, f fan) (peer, own fanned, err error) {
	defer process.KeepOff(1, runtime.NumCPU())()
	for range b.rounds {
		if err := b.fanOnce(ctx, f, &peer, (*site).grpcGo); err != nil {
			return peer, own, fmt.Errorf("grpc-go: %w", err)
		}
		if err := b.fanOnce(ctx, f, &own, func(s *site) *callee { return s.vitals("own") }); err != nil {
			return peer, own, fmt.Errorf("vitals: %w", err)
		}
	}
	return peer, own, nil
}

// fanOnce is one round of one server, which is started for it.
func (b *bench) fanOnce(ctx context.Context, f fan, sum *fanned, start func(*site) *callee) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	s := &site{bench: b, ctx: ctx, dir: filepath.Join(dir, "site")}
	defer s.stop()
	c := start(s)
	if s.err != nil {
		return s.err
	}
	length := 4 * b.each
	if b.full {
		length = f.full
	}
	return f.measure(ctx, c, length, sum)
}

// measure subscribes, publishes for a while, and waits until all has arrived.
func (f fan) measure(ctx context.Context, c *callee, length time.Duration, sum *fanned) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+length)
	defer cancel()
	a := newArrivals(f, int(length.Seconds()*float64(f.perSecond)))
	publisher, err := newPublisher(c)
	if err != nil {
		return err
	}
	defer publisher.close()
	if err := publisher.publish(ctx, time.Now(), 0); err != nil { // what snapshots have
		return err
	}
	if err := sleep(ctx, settle/2); err != nil {
		return err
	}
	bare, _ := c.Memory()
	ended, leave, err := f.subscribe(ctx, c, a)
	if err != nil {
		return err
	}
	defer leave()
	idle, err := idleCores(ctx, c)
	if err != nil {
		return err
	}
	used, from := c.CPU(), time.Now()
	if err := publisher.publishAll(ctx, a, f.perSecond); err != nil {
		return err
	}
	if err := a.wait(ctx, ended, a.complete); err != nil {
		return err
	}
	cpu, others := c.CPU()-used, idle*time.Since(from).Seconds()
	resident, _ := c.Memory()
	million := float64(a.arrived.Load()) / 1e6
	sum.cost = append(sum.cost, cpu.Seconds()/million)
	sum.net = append(sum.net, (cpu.Seconds()-others)/million)
	sum.delay = append(sum.delay, result.Percentile(a.allDelays(), 99))
	sum.memory = append(sum.memory, float64(resident-bare)/1024/float64(f.subscribers))
	sum.dropped += int(a.dropped.Load())
	return nil
}

// subscribe opens the streams and waits until each has had its snapshot. They end,
// early with an error in ended, or when leave is called.
func (f fan) subscribe(ctx context.Context, c *callee, a *arrivals) (ended chan error, leave func(), err error) {
	selector := &monitoringv1.Selector{Hostnames: []string{fanHost}, MetricTypes: []string{fanType}}
	request, err := proto.Marshal(&monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{selector}})
	if err != nil {
		return nil, nil, err
	}
	streams := &rpcload.Streams{
		Addr: c.addr(), Procedure: subscribe, Request: request, Header: c.header,
		Conns: f.conns, PerConn: f.subscribers / f.conns, Each: a.take,
	}
	listening, cancel := context.WithCancel(ctx)
	ended = make(chan error, 1)
	go func() { ended <- streams.Run(listening) }()
	leave = func() { cancel(); <-ended }
	if err := a.wait(ctx, ended, func() bool { return a.snapshots.Load() == int64(f.subscribers) }); err != nil {
		leave()
		return nil, nil, err
	}
	return ended, leave, nil
}

// idleCores is what a server takes while nothing comes in: Vitals measures its own
// host.
func idleCores(ctx context.Context, c *callee) (float64, error) {
	if err := sleep(ctx, settle/2); err != nil { // what subscribing has left to do
		return 0, err
	}
	used, from := c.CPU(), time.Now()
	if err := sleep(ctx, settle/2); err != nil {
		return 0, err
	}
	return (c.CPU() - used).Seconds() / time.Since(from).Seconds(), nil
}
