package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/fleet"
)

// introduceInterval is how often the server's own host is introduced again, so
// that an agent under the same name is noticed.
const introduceInterval = 30 * time.Second

// maxHeld is how many samples of this machine wait in memory, at most, while the
// history takes none, as with a full disk: some twenty minutes of them, and 7 MB.
const maxHeld = 300_000

// catchUp is how many of the rounds that wait are stored after each new one.
const catchUp = 30

// ownServer is the server in this process.
type ownServer interface {
	Introduce(fleet.Reporter)
	Report(context.Context, []metric.Sample) error
}

// ownReports passes what is measured here to the server in this process, as an agent
// does elsewhere, but for its queue, which is in memory: where the disk is full, one
// on disk could keep no more than the history. One goroutine uses it.
type ownReports struct {
	server     ownServer
	who        fleet.Reporter
	logger     *slog.Logger
	times      *agent.Times
	introduced time.Time
	failing    bool              // samples are not kept
	refused    bool              // some of the last round were
	held       [][]metric.Sample // rounds that wait, oldest first
	samples    int               // in these
	lost       int               // rounds for which there was no room, since it began to fail
}

func newOwnReports(ctx context.Context, srv *server.Server, c serveConfig, logger *slog.Logger) (*ownReports, error) {
	tags, err := parsePairs("tag", c.tags)
	if err != nil {
		return nil, usageError{err}
	}
	id, _, err := hostID(c.options.History.Dir, machineID(ctx))
	if err != nil {
		return nil, err
	}
	return &ownReports{server: srv, logger: logger, times: agent.NewTimes(srv.LastSeen()), who: fleet.Reporter{
		Hostname:     srv.Hostname(),
		ID:           id,
		OS:           runtime.GOOS,
		Platform:     platform(ctx),
		Architecture: runtime.GOARCH,
		AgentVersion: version(),
		Tags:         tags,
		Interval:     collectInterval,
	}}, nil
}

// report stores a round, whose slice it may write to but does not keep, and what has
// waited. It says once that samples cannot be kept, and once that they are again.
func (o *ownReports) report(ctx context.Context, round []metric.Sample) {
	if time.Since(o.introduced) > introduceInterval {
		o.server.Introduce(o.who)
		o.introduced = time.Now()
	}
	if len(round) == 0 {
		return
	}
	at := o.times.Unique(round[0].Time)
	for i := range round {
		round[i].Time = at
	}
	if err := o.store(ctx, round); err != nil {
		o.hold(round)
		if !o.failing {
			o.logger.Error("cannot store this machine's samples; they wait in memory", "error", err)
		}
		o.failing = true
		return
	}
	for range min(catchUp, len(o.held)) {
		if o.store(ctx, o.held[0]) != nil {
			return
		}
		o.samples -= len(o.held[0])
		o.held = slices.Delete(o.held, 0, 1)
	}
	if o.failing && len(o.held) == 0 {
		o.logger.Info("this machine's samples are stored again, and those that waited", "rounds_lost", o.lost)
		o.failing, o.lost = false, 0
	}
}

// store returns an error when the round should be stored again.
func (o *ownReports) store(ctx context.Context, round []metric.Sample) error {
	err := o.server.Report(ctx, round)
	refused, ok := errors.AsType[*server.RefusedError](err)
	if ok && !o.refused {
		o.logger.Error("some of this machine's samples are refused", "error", refused)
	}
	o.refused = ok
	if ok {
		return nil
	}
	return err
}

// hold keeps a copy of a round, in place of the oldest where there are too many.
func (o *ownReports) hold(round []metric.Sample) {
	o.held = append(o.held, slices.Clone(round))
	o.samples += len(round)
	drop := 0
	for ; o.samples > maxHeld; drop++ {
		o.samples -= len(o.held[drop])
	}
	o.lost += drop
	o.held = slices.Delete(o.held, 0, drop)
}
