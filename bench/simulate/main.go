// Command simulate makes up a fleet that reports to a server: so that a page has
// something to show, a test something to find and a benchmark something to
// measure.
//
//	go run ./simulate --server http://localhost:50051 --hosts 20 --series 60 --backfill 2h --duration 10m
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/simulate"
)

func main() {
	var o simulate.Options
	flag.StringVar(&o.Server, "server", "http://localhost:50051", "`URL` of the server to report to")
	flag.IntVar(&o.Hosts, "hosts", 10, "how `many` hosts")
	flag.IntVar(&o.Series, "series", 60, "how `many` series each has")
	flag.DurationVar(&o.Interval, "interval", time.Second, "how often each is measured")
	flag.DurationVar(&o.Backfill, "backfill", 0, "how much history is sent first, up to the server's out-of-order window")
	flag.DurationVar(&o.Duration, "duration", time.Minute, "how long live samples are sent; 0: not at all")
	flag.Uint64Var(&o.Seed, "seed", 1, "what the values are made from; the same gives the same")
	flag.IntVar(&o.Connections, "connections", 0, "how `many` connections the hosts share (default: one for each hundred)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "simulate: unknown argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

// run simulates and tells how far it is each second.
func run(ctx context.Context, o simulate.Options, stderr io.Writer) error {
	o.Counts = &simulate.Counts{}
	done := make(chan error, 1)
	start := time.Now()
	go func() {
		_, err := simulate.Run(ctx, o)
		done <- err
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for before := uint64(0); ; {
		select {
		case err := <-done:
			fmt.Fprintf(stderr, "sent %d samples in %s: %d stored, %d duplicates\n", o.Counts.Sent.Load(), time.Since(start).Round(time.Millisecond),
				o.Counts.Stored.Load(), o.Counts.Duplicates.Load())
			return err
		case <-ticker.C:
			sent := o.Counts.Sent.Load()
			phase := "live"
			if filled := o.Counts.HostsFilled.Load(); o.Backfill > 0 && filled < int64(o.Hosts) {
				phase = fmt.Sprintf("history of %d of %d hosts", filled, o.Hosts)
			}
			fmt.Fprintf(stderr, "%6s  %s: %d samples sent, %d/s, %d acknowledged, %d ms late\n", time.Since(start).Round(time.Second), phase,
				sent, sent-before, o.Counts.Stored.Load()+o.Counts.Duplicates.Load(), o.Counts.Late.Load())
			before = sent
		}
	}
}
