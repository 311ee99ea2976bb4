package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// SlowInterval is the least time between two measurements of what is dear to
// measure and slow to change: processes (a scan of all of them), temperatures
// (some sensors take milliseconds to answer) and the list of mounts. Rounds in
// between have no samples of process_cpu, process_memory, processes and
// temperature.
const SlowInterval = 5 * time.Second

// unsupportedRetry is how often a source that this host does not have is tried
// again: a driver may be loaded later.
const unsupportedRetry = time.Minute

// unsupported says that this host has nothing for a source to read, which is
// no fault. The kernel's own EOPNOTSUPP and ENOSYS count as the same.
func unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errors.ErrUnsupported)...)
}

// source measures one thing. collect adds its samples to the round; when it
// returns an error, or panics, the samples that it added are dropped.
type source interface {
	name() string
	collect(ctx context.Context, r *round) error
}

// round is what the sources fill.
type round struct {
	// at is the round's start on the monotonic clock: rates use it.
	at time.Duration
	// cores is the number of processors in use.
	cores int
	// time stamps the samples, in milliseconds since the Unix epoch.
	time    int64
	samples []metric.Sample
}

func (r *round) begin(stamp int64, at time.Duration) {
	r.time, r.at = stamp, at
	r.samples = r.samples[:0]
	if r.cores == 0 {
		r.cores = runtime.NumCPU()
	}
}

// add appends a sample. A value that is not finite is no observation.
func (r *round) add(s *metric.Series, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return
	}
	r.samples = append(r.samples, metric.Sample{Series: s, Time: r.time, Value: value})
}

// hostSeries makes the series of the named host.
type hostSeries string

func (h hostSeries) series(metricType string, labels ...string) *metric.Series {
	return metric.NewSeries(metricType, string(h), metric.NewLabels(labels...))
}

// supervised keeps one source's failures from the others and from filling the
// log.
type supervised struct {
	source
	// failed is whether the last try gave an error that has been logged.
	failed bool
	// retryAt is when an unsupported source is tried again.
	retryAt time.Duration
}

func (s *supervised) collect(ctx context.Context, r *round, logger *slog.Logger) {
	if r.at < s.retryAt {
		return
	}
	before := len(r.samples)
	err := s.guarded(ctx, r)
	if err == nil {
		if s.failed {
			logger.Info("source is back", "source", s.name())
		}
		s.failed = false
		return
	}
	r.samples = r.samples[:before]
	if ctx.Err() != nil {
		return // interrupted, which says nothing of the source
	}
	absent := errors.Is(err, errors.ErrUnsupported)
	if absent {
		s.retryAt = r.at + unsupportedRetry
	}
	if s.failed {
		return
	}
	s.failed = true
	if absent {
		logger.Info("source skipped: this host does not have it", "source", s.name(), "reason", err, "retry_every", unsupportedRetry)
		return
	}
	logger.Warn("source failed and is skipped until it works again; the other sources go on", "source", s.name(), "error", err)
}

// guarded turns a panic into an error.
func (s *supervised) guarded(ctx context.Context, r *round) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return s.source.collect(ctx, r)
}

// schedule spaces out the work of a slow source.
type schedule struct {
	runs int
	next time.Duration
}

// due reports whether the work is to be done in this round. The first two
// rounds always do it: the first takes the baseline, the second gives the
// first rates.
func (s *schedule) due(at time.Duration) bool {
	// A tick may come a little early; half a second keeps the work on the
	// same tick of five.
	if s.runs >= 2 && at < s.next-SlowInterval/10 {
		return false
	}
	s.runs++
	s.next = at + SlowInterval
	return true
}
