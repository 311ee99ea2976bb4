// Command measure prints what Vitals costs and how fast it is, each number
// beside that of a peer or its aim, and keeps the result in results/. It needs
// Linux, and the network once, for the peers.
//
//	go run ./measure            # quick
//	go run ./measure -full      # more rounds, longer
//	go run ./measure query disk # these parts only
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	if o.interfaces > 0 {
		inside, err := withInterfaces(ctx, o.interfaces)
		if err != nil || !inside {
			return err
		}
	}
	stopProfile, err := startProfile(o.profile)
	if err != nil {
		return err
	}
	return errors.Join(o.bench.measure(ctx, o.parts, o.results), stopProfile())
}

// startProfile writes a profile until stop; an empty path means none.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return out.Close()
	}, pprof.StartCPUProfile(out)
}
