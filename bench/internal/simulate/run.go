package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

const (
	// liveFor is how long a stream of live reports is before its
	// acknowledgement, as an agent has it.
	liveFor = 10 * time.Second
	// messageSamples and messageRounds bound one message.
	messageSamples = 30_000
	messageRounds  = 120
	// streamSamples is how many samples of history go over one stream.
	streamSamples = 1_000_000
)

// Options says what to simulate. Server, Hosts and Series are needed.
type Options struct {
	// Server is the URL to report to.
	Server string
	// Token is shown with each call, if there is one.
	Token string
	// Hosts is how many hosts there are, Series how many series each has.
	Hosts, Series int
	Seed          uint64
	// Interval is how often a host is measured. Default: 1 s.
	Interval time.Duration
	// Backfill is how much history is sent first. It must lie within the
	// server's out-of-order window.
	Backfill time.Duration
	// Duration is how long live samples are sent thereafter; 0: none.
	Duration time.Duration
	// Patient lets hosts outlive an outage of the server, once they are live: what
	// is not acknowledged is kept and sent again beside what is new, as agents do.
	Patient bool
	// Connections is how many the hosts share. Default: one for each hundred.
	Connections int
	// Now is when live begins. Default: time.Now().
	Now time.Time
	// Counts, if not nil, is kept up to date while the simulation runs.
	Counts *Counts
}

// Counts is what has been sent and acknowledged so far.
type Counts struct {
	Sent, Stored, Duplicates atomic.Uint64
	// HostsFilled is how many hosts have sent their history.
	HostsFilled atomic.Int64
	// Late is by how many milliseconds the live round that was sent last came
	// after its time.
	Late atomic.Int64
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Hosts < 1 || o.Hosts > 100_000:
		return o, fmt.Errorf("%d hosts: give a number from 1 to 100000", o.Hosts)
	case o.Series < 1 || o.Series > 10_000:
		return o, fmt.Errorf("%d series a host: give a number from 1 to 10000, which is what a server takes by default", o.Series)
	case o.Interval < 0 || o.Backfill < 0 || o.Duration < 0:
		return o, errors.New("a duration is negative")
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Interval < 10*time.Millisecond {
		return o, fmt.Errorf("interval %s is shorter than 10ms", o.Interval)
	}
	if o.Connections == 0 {
		o.Connections = (o.Hosts + 99) / 100
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Counts == nil {
		o.Counts = &Counts{}
	}
	return o, nil
}

// Run simulates: first the history of all hosts, then all hosts live, until the
// duration is over or ctx ends; then it waits for the last acknowledgements. It
// fails on the first error, unless hosts are patient, or when the server refuses a
// sample.
func Run(ctx context.Context, o Options) (*Counts, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &simulation{Options: o, begin: o.Now.Truncate(o.Interval)}
	for range o.Connections {
		c, err := client.New(o.Server, client.WithH2C(), client.WithGzip(), client.WithToken(o.Token))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		s.servers = append(s.servers, c.Ingest())
	}
	hosts := Fleet(o.Seed, o.Hosts, o.Series)
	if o.Backfill > 0 {
		if err := s.each(ctx, hosts, 2*len(s.servers), s.fill); err != nil {
			return o.Counts, err
		}
	}
	if o.Duration > 0 {
		live := s.live
		if o.Patient {
			live = s.outlive
		}
		if err := s.each(ctx, hosts, -1, live); err != nil {
			return o.Counts, err
		}
	}
	return o.Counts, nil
}

type simulation struct {
	Options
	begin   time.Time // of live
	servers []monitoringv1connect.IngestServiceClient
}

// each runs do for every host, at most limit at once.
func (s *simulation) each(ctx context.Context, hosts []*Host, limit int, do func(context.Context, *reporter) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	for i, h := range hosts {
		group.Go(func() error {
			r := &reporter{simulation: s, host: h, server: s.servers[i%len(s.servers)]}
			if err := do(ctx, r); err != nil {
				return fmt.Errorf("host %s: %w", h.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// fill sends a host's history.
func (s *simulation) fill(ctx context.Context, r *reporter) error {
	step := s.Interval.Milliseconds()
	at := s.begin.Add(-s.Backfill).UnixMilli()
	for at < s.begin.UnixMilli() && ctx.Err() == nil {
		if err := r.open(ctx); err != nil {
			return err
		}
		for r.sent < streamSamples && at < s.begin.UnixMilli() {
			var err error
			if at, err = r.send(at, step, s.begin.UnixMilli()); err != nil {
				return err
			}
		}
		if err := r.acknowledge(); err != nil {
			return err
		}
	}
	s.Counts.HostsFilled.Add(1)
	return ctx.Err()
}

// live sends a host's rounds when their times come. What is due when it begins
// is made up for first.
func (s *simulation) live(ctx context.Context, r *reporter) error {
	step := s.Interval.Milliseconds()
	next := s.begin.UnixMilli()
	end := time.Now().Add(s.Duration)
	length := liveFor/2 + rand.N(liveFor/2) //nolint:gosec // spreads the acknowledgements
	for time.Now().Before(end) && ctx.Err() == nil {
		if err := r.open(ctx); err != nil {
			return err
		}
		until := time.Now().Add(length)
		for time.Now().Before(until) && wait(ctx, next, end) {
			s.Counts.Late.Store(time.Now().UnixMilli() - next)
			var err error
			if next, err = r.send(next, step, time.Now().UnixMilli()+1); err != nil {
				return err
			}
		}
		if err := r.acknowledge(); err != nil {
			return err
		}
		length = liveFor
	}
	return nil
}

// wait waits for a time in milliseconds; false when ctx or the simulation ends
// first.
func wait(ctx context.Context, at int64, end time.Time) bool {
	timer := time.NewTimer(min(time.Until(time.UnixMilli(at)), time.Until(end)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return time.Now().Before(end)
	case <-ctx.Done():
		return false
	}
}

// reporter sends the samples of one host.
type reporter struct {
	*simulation
	host   *Host
	server monitoringv1connect.IngestServiceClient
	call   monitoringv1connect.IngestServiceReportClientStream
	cancel context.CancelFunc
	sent   uint64 // over this stream
	// kept is what was sent and is not acknowledged yet, of a patient host.
	kept []*monitoringv1.Samples
}

// open begins a stream. It outlives ctx, so that what was sent is acknowledged.
func (r *reporter) open(ctx context.Context) (err error) {
	ctx, r.cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	if r.call, err = r.server.Report(ctx); err != nil {
		return err
	}
	r.sent = 0
	return r.transmit(r.host.Introduction(r.Interval))
}

// send sends the rounds from a time on that are due before another in one
// message, if they fit, and returns the time of the next.
func (r *reporter) send(at, step, before int64) (int64, error) {
	req := &monitoringv1.ReportRequest{}
	n := 0
	for at < before && n < messageSamples && len(req.Samples) < messageRounds {
		round := r.host.Round(at)
		req.Samples = append(req.Samples, round)
		n += len(round.Values)
		at += step
	}
	if r.Patient {
		r.kept = append(r.kept, req.Samples...)
	}
	if err := r.transmit(req); err != nil {
		return at, err
	}
	r.sent += uint64(n) //nolint:gosec // a count
	r.Counts.Sent.Add(uint64(n))
	return at, nil
}

// transmit sends a message. That the server has ended the call shows as EOF
// here; why, it says in its answer.
func (r *reporter) transmit(req *monitoringv1.ReportRequest) error {
	err := r.call.Send(req)
	if !errors.Is(err, io.EOF) {
		return err
	}
	if _, answer := r.call.CloseAndReceive(); answer != nil {
		return answer
	}
	return err
}

var errRefused = errors.New("the server refused")

// acknowledge ends the stream and checks that the server kept all of it.
func (r *reporter) acknowledge() error {
	defer r.cancel()
	res, err := r.call.CloseAndReceive()
	if err != nil {
		return err
	}
	r.kept = nil
	receipt := res.GetReceipt()
	r.Counts.Stored.Add(receipt.GetStored())
	r.Counts.Duplicates.Add(receipt.GetDuplicates())
	if n := receipt.GetRejected(); n > 0 {
		first := receipt.GetRejections()[0]
		return fmt.Errorf("%w %d samples; the first, of %s: %s", errRefused, n, first.GetSeries(), first.GetReason())
	}
	if got := receipt.GetStored() + receipt.GetDuplicates(); got != r.sent {
		return fmt.Errorf("%d samples were sent and %d acknowledged", r.sent, got)
	}
	return nil
}
