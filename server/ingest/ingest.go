// Package ingest is the one door by which samples come in, from whatever
// transport: it checks them, keeps each sender within its limits, writes them to
// the history and then makes them live.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/live"
	"github.com/vitals-rpc/vitals/server/store"
)

// History is where samples are kept.
type History interface {
	Ref(*metric.Series) *store.Ref
	Append(context.Context, []store.Point) (store.AppendResult, error)
}

// Live is where the newest samples are.
type Live interface {
	Cell(*metric.Series) *live.Cell
	Publish([]live.Point)
	Forget([]*live.Cell)
}

// Fleet knows who reports.
type Fleet interface {
	Introduce(fleet.Reporter) (warning string)
	Saw(hostname string, at int64)
	Describe(metric.Type)
}

// Defaults of [Options].
const (
	DefaultMaxHosts         = 10_000
	DefaultMaxSeriesPerHost = 10_000
	DefaultMaxRate          = 100_000
)

// maxAhead is how far a sample may lie ahead of the server's clock.
const maxAhead = time.Minute

// recent is how young a batch's newest sample must be for the batch to pass
// before backlogs.
const recent = 30 * time.Second

// Options configures [New]. The zero value of a field means its default.
type Options struct {
	History History
	Live    Live
	Fleet   Fleet
	// Logger hears of limits that were hit. Default: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// MaxHosts is how many host names may report; one that was silent for an hour
	// makes room for another. Default 10,000.
	MaxHosts int
	// MaxSeriesPerHost is how many series a host may have at once; one that was
	// silent for an hour makes room for another. Default 10,000.
	MaxSeriesPerHost int
	// MaxRate is how many samples a second one host may send for long; ten
	// seconds' worth may come at once. Default 100,000, which lets a host that
	// was cut off for a day catch up on 250 series in four minutes.
	MaxRate int
}

// Door takes samples in. Its methods are safe for concurrent use.
type Door struct {
	opts    Options
	fresh   chan struct{} // slots for batches that are live
	backlog chan struct{} // slots for batches that catch up

	mu     sync.Mutex
	hosts  map[string]*sender
	looked int64 // when idle hosts were last looked for, in milliseconds since the epoch
}

// New makes a door.
func New(opts Options) *Door {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxHosts == 0 {
		opts.MaxHosts = DefaultMaxHosts
	}
	if opts.MaxSeriesPerHost == 0 {
		opts.MaxSeriesPerHost = DefaultMaxSeriesPerHost
	}
	if opts.MaxRate == 0 {
		opts.MaxRate = DefaultMaxRate
	}
	procs := runtime.GOMAXPROCS(0)
	return &Door{
		opts:    opts,
		fresh:   make(chan struct{}, 2*procs),
		backlog: make(chan struct{}, max(1, procs/2)),
		hosts:   map[string]*sender{},
	}
}

// Receipt says what became of samples. Those that it counts as stored or as
// duplicates are safe.
type Receipt struct {
	Stored, Duplicates, Rejected uint64
	// Rejections has the first maxRejections of the refused.
	Rejections []Rejection
	// Warnings are for the sender's operator.
	Warnings []string
}

// maxRejections is how many refusals a receipt spells out.
const maxRejections = 100

// Rejection is a sample that was refused.
type Rejection struct {
	// Index is its place among all samples of the receipt, from 0.
	Index  uint64
	Series string
	Reason error
}

// reject counts a refused sample; series is nil where none was defined.
func (r *Receipt) reject(index uint64, series *metric.Series, reason error) {
	r.Rejected++
	if len(r.Rejections) == maxRejections {
		return
	}
	refused := Rejection{Index: index, Reason: reason}
	if series != nil {
		refused.Series = series.String()
	}
	r.Rejections = append(r.Rejections, refused)
}

// RateError says that a host sends more than it may.
type RateError struct {
	Host string
	Rate int
}

func (e *RateError) Error() string {
	return fmt.Sprintf("host %q sends more than %d samples a second; wait and send again", e.Host, e.Rate)
}

// BatchSizeError says that a batch is larger than its host may ever send at once.
type BatchSizeError struct {
	Host string
	// Size is how many samples it has, Most how many it may.
	Size, Most int
}

func (e *BatchSizeError) Error() string {
	return fmt.Sprintf("host %q sends %d samples at once; split them into batches of at most %d, which is ten seconds' worth of the server's --max-sample-rate", e.Host, e.Size, e.Most)
}

// HostLimitError says that no further host name is taken in.
type HostLimitError struct{ Limit int }

func (e *HostLimitError) Error() string {
	return fmt.Sprintf("%d host names have reported, which is the limit; is a name made up anew each time? The server's --max-hosts raises it", e.Limit)
}

// Write takes in samples that come with their series, all of one host. The
// samples that are wrong are refused one by one and the rest is kept. An error
// means that nothing is promised about the good ones: send them all again.
//
// Errors: *[BatchSizeError], *[RateError], *[HostLimitError]; the store's, such as
// store.ErrFull, with which live values are updated all the same.
func (d *Door) Write(ctx context.Context, hostname string, samples []metric.Sample) (Receipt, error) {
	host, err := d.sender(hostname)
	if err != nil {
		return Receipt{}, err
	}
	if most := host.limiter.Burst(); len(samples) > most {
		return Receipt{}, &BatchSizeError{hostname, len(samples), most}
	}
	if !host.limiter.AllowN(d.opts.Now(), len(samples)) {
		return Receipt{}, &RateError{hostname, d.opts.MaxRate}
	}
	var b batch
	defer b.reset()
	b.reserve(len(samples))
	for i, s := range samples {
		e, err := host.entry(d, s.Series)
		if err == nil {
			err = d.checkTime(s.Time)
		}
		if err == nil {
			err = metric.CheckValue(s.Value)
		}
		if err != nil {
			b.receipt.reject(uint64(i), s.Series, err)
			continue
		}
		b.add(e, s.Time, s.Value, uint64(i), 1)
	}
	err = d.commit(ctx, host, hostname, &b)
	return b.receipt, err
}

// checkTime refuses a time in the future. That it is not too old is for the
// store to say, which knows what it has.
func (d *Door) checkTime(at int64) error {
	if ahead := time.UnixMilli(at).Sub(d.opts.Now()); ahead > maxAhead {
		return fmt.Errorf("the sample is %s ahead of the server's clock; set the host's clock", ahead.Round(time.Second))
	}
	return nil
}

// commit stores the batch, adds what became of it to its receipt, and makes it
// live.
func (d *Door) commit(ctx context.Context, host *sender, hostname string, b *batch) error {
	if b.size() == 0 {
		return nil
	}
	release, err := d.admit(ctx, b.newest)
	if err != nil {
		return err
	}
	result, err := d.opts.History.Append(ctx, b.points)
	release()
	b.refuse(result.Rejected)
	if len(b.live) > 0 {
		host.taken.Store(true)
		d.opts.Live.Publish(b.live)
		d.opts.Fleet.Saw(hostname, b.newest)
	}
	if err != nil {
		return err
	}
	b.receipt.Stored += uint64(result.Stored)
	b.receipt.Duplicates += uint64(result.Duplicates)
	for _, r := range result.Rejected {
		b.receipt.reject(b.index(r.Index), b.points[r.Index].Ref.Series(), r.Reason)
	}
	return nil
}

// admit waits for a turn. Batches of samples just taken have turns of their own,
// so that a thousand hosts that catch up at once do not hold up the live ones.
func (d *Door) admit(ctx context.Context, newest int64) (release func(), err error) {
	slots := d.fresh
	if !d.isRecent(newest) {
		slots = d.backlog
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// isRecent tells a batch that was just taken, by its newest sample, from one of a
// backlog.
func (d *Door) isRecent(newest int64) bool {
	return d.opts.Now().Sub(time.UnixMilli(newest)) <= recent
}

// ErrUndefined refuses a sample whose series number was not defined.
var ErrUndefined = errors.New("the series of that number is not defined in this stream")
