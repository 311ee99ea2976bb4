package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
)

const (
	fleetHosts  = 1000
	fleetSeries = 30
)

// fleet measures a server to which a thousand hosts report each second.
func (b *bench) fleet(ctx context.Context, t *result.Table) error {
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
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := simulate.Run(ctx, simulate.Options{
			Server: srv.url, Token: srv.operator, Hosts: fleetHosts, Series: fleetSeries, Seed: 1, Duration: time.Hour, Connections: 10, Counts: counts,
		})
		done <- err
	}()
	defer func() { cancel(); <-done }()
	watched, err := watch(ctx, srv.Process, counts, 2*b.warmUp, b.watch, done)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d hosts of %d series at 1 s, over %s: ", fleetHosts, fleetSeries, b.watch)
	t.Add(what+"samples/s", fmt.Sprintf("%.0f", watched.perSecond), "", "")
	t.Add(what+"server's cores", fmt.Sprintf("%.2f", watched.cores), "", "")
	t.Add(what+"server's memory, most", fmt.Sprintf("%s, own %s", mib(watched.resident), mib(watched.own)), "", "")
	t.Add(what+"CPU s a million samples", fmt.Sprintf("%.2f", watched.cores/watched.perSecond*1e6), "", "")
	return nil
}

// watched is what a server cost for a while.
type watched struct {
	perSecond, cores float64
	resident, own    int64 // the most
}

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
		w.resident, w.own = max(w.resident, resident), max(w.own, own)
	}
	took := time.Since(start).Seconds()
	w.cores = (srv.CPU() - used).Seconds() / took
	w.perSecond = float64(counts.Sent.Load()-sent) / took
	return w, nil
}
