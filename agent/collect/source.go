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
// (some sensors take milliseconds to answer), remote file systems and the list
// of mounts. Rounds in between have no samples of process_cpu, process_memory,
// processes and temperature. Where one of these takes more than 5 ms it is
// measured less often still, down to once a minute, so that it costs no more
// than a thousandth of a core.
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

type sourceState uint8

const (
	working sourceState = iota
	failing
	absent
)

// supervised keeps one source's failures from the others and from filling the
// log.
type supervised struct {
	source
	// state is how the last try went, and has been logged.
	state sourceState
	// retryAt is when an unsupported source is tried again.
	retryAt time.Duration
}

func (s *supervised) collect(ctx context.Context, r *round, logger *slog.Logger) {
	if r.at < s.retryAt {
		return
	}
	before := len(r.samples)
	err := s.guarded(ctx, r)
	if err != nil {
		r.samples = r.samples[:before]
		if ctx.Err() != nil {
			return // interrupted, which says nothing of the source
		}
	}
	state := working
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		state = absent
		s.retryAt = r.at + unsupportedRetry
	case err != nil:
		state = failing
	}
	if state != s.state {
		s.state = state
		s.say(logger, err)
	}
}

// say logs that the state is another one.
func (s *supervised) say(logger *slog.Logger, err error) {
	switch s.state {
	case working:
		logger.Info("source works again", "source", s.name())
	case absent:
		logger.Info("source skipped: this host does not have it", "source", s.name(), "reason", err, "retry_every", unsupportedRetry)
	case failing:
		logger.Warn("source failed and is skipped until it works again; the other sources go on", "source", s.name(), "error", err)
	}
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
