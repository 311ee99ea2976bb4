// Package agent brings a host in: it takes a round of samples each interval,
// puts it into a durable queue on disk, and sends from there, so that what was
// measured while the server or the network was away arrives later. It only ever
// calls out.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
)

// DefaultInterval is how often a host is measured unless told otherwise.
const DefaultInterval = time.Second

// drainTimeout bounds the last sending when the agent stops. What is not sent
// then stays in the spool.
const drainTimeout = 5 * time.Second

// Collector takes rounds of samples and passes each to sink until ctx ends. The
// slice is valid until sink returns.
type Collector interface {
	Run(ctx context.Context, interval time.Duration, sink func([]metric.Sample)) error
}

// Options configures an [Agent]. Spool, Server and Collector are needed.
type Options struct {
	// Reporter is what is said of the host; its hostname must be the one that
	// the collector's series have.
	Reporter *monitoringv1.Reporter
	// Collector measures the host.
	Collector Collector
	// Interval is how often. Default: [DefaultInterval].
	Interval time.Duration
	// Spool keeps what is not acknowledged. The agent does not close it.
	Spool *spool.Spool
	// Server takes the samples.
	Server monitoringv1connect.IngestServiceClient
	// Disconnect drops the idle connections to the server, if not nil. It is
	// called after a failure, when they may be as dead as the one that failed.
	Disconnect func()
	// Logger hears of outages and of refused samples. Default: slog.Default().
	Logger *slog.Logger
}

// Agent measures and reports. Make one with [New].
type Agent struct {
	opts     Options
	recorder *recorder
	sender   *sender
}

// New makes an agent, which does nothing until [Agent.Run].
func New(opts Options) *Agent {
	if opts.Interval == 0 {
		opts.Interval = DefaultInterval
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Disconnect == nil {
		opts.Disconnect = func() {}
	}
	return &Agent{
		opts:     opts,
		recorder: newRecorder(opts.Spool),
		sender:   newSender(opts),
	}
}

// Run measures and reports until ctx ends, and then sends what it can within a
// few seconds. What is left waits in the spool for the next run.
func (a *Agent) Run(ctx context.Context) error {
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	group, measuring := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer a.sender.finish(drainTimeout, stopSending)
		err := a.opts.Collector.Run(measuring, a.opts.Interval, a.record)
		if err != nil && measuring.Err() == nil {
			return fmt.Errorf("measuring this host: %w", err)
		}
		return nil
	})
	group.Go(func() error { return a.sender.run(sending) })
	return group.Wait()
}

// record keeps one round. A disk that takes nothing is said once until it does
// again; the round is then sent at once, if the server is there, for a full disk
// is when a host needs watching, and else lost.
func (a *Agent) record(samples []metric.Sample) {
	err := a.recorder.record(samples)
	if err != nil {
		a.sender.offer(a.recorder.unkept())
	}
	switch {
	case err != nil && a.recorder.lost == 1:
		a.opts.Logger.Error("cannot keep samples on disk; those that cannot be sent at once are lost; make room or name another folder with --spool-dir", "error", err)
	case err == nil && a.recorder.lost > 0:
		a.opts.Logger.Info("samples are kept on disk again", "rounds_not_kept", a.recorder.lost)
		a.recorder.lost = 0
	}
}
