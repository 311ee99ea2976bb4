package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
)

const (
	// dayPoints is how many points an answer has, dayStep what each stands for.
	dayPoints = 500
	dayStep   = 173 * time.Second
	// dayAim is the most that a query may take of what it takes the faster peer.
	dayAim = 1.0
)

// historian answers questions about a day.
type historian struct {
	name   string
	server *running
	// ask asks for the day of one host, or of all where it is less than zero. It
	// returns how long it took until the whole answer was there, and checks it
	// after that.
	ask func(ctx context.Context, host int) (time.Duration, error)

	p50s []float64 // in milliseconds, a round each
}

// day asks for 24 hours of samples of each second, of one host and of a hundred,
// Vitals and its peers in turn, each on one core. All have the same samples.
func (b *bench) day(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	d := newDay(time.Now().Truncate(time.Second), b.hosts)
	historians, err := b.historians(ctx, d, dir)
	for _, h := range historians {
		defer h.server.Stop()
	}
	if err != nil {
		return err
	}
	for _, h := range historians {
		if err := quiet(ctx, h.server.Process); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	if err := b.daySize(ctx, t, historians, 1); err != nil {
		return err
	}
	return b.daySize(ctx, t, historians, b.hosts)
}

// daySize asks for one host, each time another, or for all.
func (b *bench) daySize(ctx context.Context, t *result.Table, historians []*historian, hosts int) error {
	n := max(b.queries/b.rounds, 1)
	if hosts > 1 {
		n = max(n/4, 1)
	}
	for _, h := range historians {
		h.p50s = nil
	}
	next := 0
	for range b.rounds {
		took := make([][]float64, len(historians))
		for range n {
			host := -1
			if hosts == 1 {
				host, next = next%b.hosts, next+1
			}
			for i, h := range historians {
				one, err := h.ask(ctx, host)
				if err != nil {
					return fmt.Errorf("%s: %w", h.name, err)
				}
				took[i] = append(took[i], float64(one.Microseconds())/1000)
			}
		}
		for i, h := range historians {
			h.p50s = append(h.p50s, result.Median(took[i]))
		}
	}
	addDay(t, historians, fmt.Sprintf("24 h of seconds of %d host(s) in %d points, p50 ms", hosts, dayPoints))
	return nil
}

// addDay adds the row of one question. The first historian is Vitals.
func addDay(t *result.Table, historians []*historian, what string) {
	own, peers := historians[0], historians[1:]
	beside, verdict := "", ""
	if len(peers) > 0 {
		fastest := slices.MinFunc(peers, func(a, b *historian) int {
			return int(1000 * (result.Median(a.p50s) - result.Median(b.p50s)))
		})
		ratio := result.Ratio(own.p50s, fastest.p50s)
		verdict = result.AtMost(ratio.Median, dayAim)
		for _, p := range peers {
			beside += p.name + " " + result.Spread(p.p50s, "%.2f") + "; "
		}
		beside += fmt.Sprintf("of the faster %s; aim %.1fx", ratio, dayAim)
	}
	t.Add(what, result.Spread(own.p50s, "%.2f"), beside, verdict)
}

// quiet waits until a server has done what it had to do with its samples, two
// minutes at most.
func quiet(ctx context.Context, p *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		used := p.CPU()
		if err := sleep(ctx, settle); err != nil {
			return fmt.Errorf("it does not come to rest: %w", err)
		}
		if p.CPU()-used < settle/10 {
			return nil
		}
	}
}
