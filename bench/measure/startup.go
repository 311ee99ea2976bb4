package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/result"
)

// startup measures the time from the start of the program until it says that it is
// ready, and what memory it holds when nobody has asked for anything.
func (b *bench) startup(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	empty, filled := filepath.Join(dir, "empty"), filepath.Join(dir, "filled")
	if err := newDay(time.Now().Truncate(time.Second), b.hosts).store(ctx, filled); err != nil {
		return err
	}
	for _, f := range []struct{ name, dir string }{
		{"an empty folder", empty}, {fmt.Sprintf("a day of %d series each second", b.hosts), filled},
	} {
		if err := b.startupOn(ctx, t, f.name, f.dir); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

func (b *bench) startupOn(ctx context.Context, t *result.Table, name, dir string) error {
	accounts, err := b.accounts(ctx, dir)
	if err != nil {
		return err
	}
	var took []float64
	for range b.rounds {
		one, err := b.startTime(ctx, dir, accounts, nil)
		if err != nil {
			return err
		}
		took = append(took, one)
	}
	t.Add("from exec to ready, on "+name+", ms", result.Spread(took, "%.0f"), "", "")
	var resident, own int64
	if _, err := b.startTime(ctx, dir, accounts, func(r *running) error {
		err := sleep(ctx, b.idle)
		resident, own = r.Memory()
		return err
	}); err != nil {
		return err
	}
	t.Add(fmt.Sprintf("resident memory after %s of rest, on %s", b.idle, name), fmt.Sprintf("%s, own %s", mib(resident), mib(own)), "", "")
	return nil
}

// startTime starts a server, does what is to be done with it, stops it, and returns
// how many milliseconds it took until it was ready.
func (b *bench) startTime(ctx context.Context, dir string, accounts running, then func(*running) error) (float64, error) {
	start := time.Now()
	r, err := b.start(ctx, 0, dir, accounts)
	if err != nil {
		return 0, err
	}
	defer r.Stop()
	if err := r.Ready(ctx, r.url+"/readyz"); err != nil {
		return 0, err
	}
	took := float64(time.Since(start).Microseconds()) / 1000
	if then != nil {
		return took, then(r)
	}
	return took, nil
}
