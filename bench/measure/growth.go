package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
)

// fleetSeries is how many series each host of a fleet has.
const fleetSeries = 30

// fleetSizes are how many hosts report each second.
var fleetSizes = []int{10, 100, 1_000, 10_000}

// growth measures servers to which ever more hosts report each second.
func (b *bench) growth(ctx context.Context, t *result.Table) error {
	for _, hosts := range b.fleets {
		if err := b.fleet(ctx, t, hosts); err != nil {
			return fmt.Errorf("%d hosts: %w", hosts, err)
		}
	}
	return nil
}

// fleet measures a server with so many hosts. All that they send must be stored.
func (b *bench) fleet(ctx context.Context, t *result.Table, hosts int) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	srv, err := b.serve(ctx, 0, dir)
	if err != nil {
		return err
	}
	defer srv.Stop()
	counts := &simulate.Counts{}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := simulate.Run(running, simulate.Options{
			Server: srv.url, Token: srv.operator, Hosts: hosts, Series: fleetSeries, Seed: 1, Duration: time.Hour, Counts: counts,
		})
		ended <- err
	}()
	w, err := watch(ctx, srv.Process, counts, 2*b.warmUp, b.watch/2, ended)
	stop()
	if err != nil {
		return err
	}
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	lost := counts.Sent.Load() - counts.Stored.Load() - counts.Duplicates.Load()
	what := fmt.Sprintf("%d hosts of %d series at 1 s, over %s: ", hosts, fleetSeries, b.watch/2)
	t.Add(what+"samples/s", fmt.Sprintf("%.0f", w.perSecond), fmt.Sprintf("refused or lost %d of %d; sent %d ms late at most", lost, counts.Sent.Load(), w.late), result.AtMost(float64(lost), 0))
	t.Add(what+"server's cores", fmt.Sprintf("%.2f", w.cores), fmt.Sprintf("%.2f CPU s a million samples", w.cores/w.perSecond*1e6), "")
	t.Add(what+"server's memory, most", fmt.Sprintf("%s, own %s", mib(w.resident), mib(w.own)), "", "")
	return nil
}

// watched is what a server cost for a while.
type watched struct {
	perSecond, cores float64
	resident, own    int64 // the most
	late             int64 // by how many milliseconds a round was sent late at most
}

// watch watches a server after a while, until which the fleet is live. It fails when
// the fleet ends.
func watch(ctx context.Context, srv *process.Process, counts *simulate.Counts, warmUp, length time.Duration, ended <-chan error) (w watched, err error) {
	if err := sleep(ctx, warmUp); err != nil {
		return w, err
	}
	start, used, sent := time.Now(), srv.CPU(), counts.Sent.Load()
	for time.Since(start) < length {
		select {
		case err := <-ended:
			return w, fmt.Errorf("the simulation ended early: %w", err)
		case <-ctx.Done():
			return w, ctx.Err()
		case <-time.After(time.Second):
		}
		resident, own := srv.Memory()
		w.resident, w.own, w.late = max(w.resident, resident), max(w.own, own), max(w.late, counts.Late.Load())
	}
	took := time.Since(start).Seconds()
	w.cores = (srv.CPU() - used).Seconds() / took
	w.perSecond = float64(counts.Sent.Load()-sent) / took
	return w, nil
}
