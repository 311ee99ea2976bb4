// Package collect measures the host that it runs on: processors, memory, disks,
// network, processes, sensors and the agent's own cost. The metric types that
// it gives are those of the catalog in package metric.
//
// One file holds one source. A source keeps what it needs between rounds (the
// counters of the round before, its series) in its own struct, so that any
// number of collectors run side by side. On Linux the sources read /proc and
// /sys themselves, with buffers and open files that they keep; elsewhere they
// use gopsutil.
package collect

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// Options configures a [Collector]. The zero value measures this host under
// the name that its operating system gives.
type Options struct {
	// Host is the host name that the series carry; default: [os.Hostname].
	Host string
	// Logger hears of sources that fail, come back or are not supported here;
	// default: [slog.Default].
	Logger *slog.Logger
	// Now is the wall clock that stamps samples; default: [time.Now]. Rates
	// never use it: they are over a monotonic clock.
	Now func() time.Time
	// TopProcesses is how many process names are reported by processor time,
	// and how many by memory; default 5, none if negative.
	TopProcesses int
}

// Collector measures one host. Its methods may be called by one goroutine at a
// time. It needs no closing: files that it keeps open are closed when it is
// garbage.
type Collector struct {
	logger  *slog.Logger
	now     func() time.Time
	start   time.Time // the origin of the monotonic clock
	sources []*supervised
	round   round
	// primedAt is when Prime took the baselines, on the monotonic clock; zero
	// means not yet.
	primedAt time.Duration
}

// New makes a Collector. It reads nothing yet: what cannot be measured here
// shows in the log of the first round.
func New(opts Options) *Collector {
	return newCollector(opts, system{proc: "/proc", sys: "/sys", root: rootPath})
}

// system is where a host's own files are.
type system struct {
	proc, sys, root string
}

func newCollector(opts Options, sys system) *Collector {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Host == "" {
		opts.Host = ownHostname()
	}
	if opts.TopProcesses == 0 {
		opts.TopProcesses = 5
	}
	c := &Collector{logger: opts.Logger, now: opts.Now, start: time.Now()}
	for _, src := range newSources(sys, hostSeries(opts.Host), opts) {
		c.sources = append(c.sources, &supervised{source: src})
	}
	return c
}

func ownHostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// Prime takes the baselines that rates need: a [Collector.Collect] after it
// has the rates over the time in between, where one without it would have none.
func (c *Collector) Prime(ctx context.Context) {
	c.collect(ctx, c.now())
	c.primedAt = c.elapsed()
}

// Collect takes one round. Every sample carries the same time: the wall clock's
// at the round's start. Rates are over the time since the round before, and
// series without one (a new disk, a counter that was reset) are left out of
// this round; processor time needs 50 ms between rounds. The slice is valid until the next call of any method; the series
// in it are the same pointers from round to round.
//
// Some sources measure less often than each round; see [SlowInterval].
func (c *Collector) Collect(ctx context.Context) []metric.Sample {
	return c.collect(ctx, c.now())
}

func (c *Collector) collect(ctx context.Context, stamp time.Time) []metric.Sample {
	r := &c.round
	r.begin(stamp.UnixMilli(), c.elapsed())
	for _, s := range c.sources {
		if ctx.Err() != nil {
			break
		}
		s.collect(ctx, r, c.logger)
	}
	return r.samples
}

// elapsed is the monotonic clock. It stands still while the host sleeps, as
// the kernel's counters do, so a rate over a suspend is right.
func (c *Collector) elapsed() time.Duration { return time.Since(c.start) }
