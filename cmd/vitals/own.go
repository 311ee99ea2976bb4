package main

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/fleet"
)

// introduceInterval is how often the server's own host is introduced again, so
// that an agent under the same name is noticed.
const introduceInterval = 30 * time.Second

// ownReports passes what is measured here to the server in this process. One
// goroutine uses it.
type ownReports struct {
	server     *server.Server
	who        fleet.Reporter
	logger     *slog.Logger
	introduced time.Time
	failing    bool
}

func newOwnReports(ctx context.Context, srv *server.Server, c serveConfig, logger *slog.Logger) (*ownReports, error) {
	tags, err := parsePairs("tag", c.tags)
	if err != nil {
		return nil, usageError{err}
	}
	id, err := hostID(c.options.History.Dir)
	if err != nil {
		return nil, err
	}
	return &ownReports{server: srv, logger: logger, who: fleet.Reporter{
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

// report says once that samples cannot be kept, and once that they are again.
func (o *ownReports) report(ctx context.Context, samples []metric.Sample) {
	if time.Since(o.introduced) > introduceInterval {
		o.server.Introduce(o.who)
		o.introduced = time.Now()
	}
	err := o.server.Report(ctx, samples)
	switch {
	case err != nil && !o.failing:
		o.logger.Error("cannot keep this machine's samples", "error", err)
	case err == nil && o.failing:
		o.logger.Info("this machine's samples are kept again")
	}
	o.failing = err != nil
}
