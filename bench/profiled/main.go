// Command profiled is a Vitals server that writes a profile of its processor
// time when it stops, to see where the time goes that measure shows:
//
//	go build -o /tmp/profiled ./profiled
//	CPU_PROFILE=/tmp/cpu.pprof go run ./measure -vitals /tmp/profiled -results "" ingest
//	go tool pprof -top /tmp/cpu.pprof
//
// It understands the flags of vitals serve that measure gives, and does not
// measure its own host. Each server that is started replaces the profile, so the
// last one stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/listen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) > 0 && args[0] == "serve" {
		args = args[1:]
	}
	flags := flag.NewFlagSet("profiled", flag.ContinueOnError)
	address := flags.String("listen", "localhost:50051", "`address` to listen on")
	dir := flags.String("data-dir", "", "`folder` for history")
	hostname := flags.String("hostname", "profiled", "`name` of this host")
	if err := flags.Parse(args); err != nil {
		return err
	}
	path := os.Getenv("CPU_PROFILE")
	if path == "" {
		path = "cpu.pprof"
	}
	out, err := os.Create(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	o := server.Options{Hostname: *hostname, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	o.History.Dir = *dir
	srv, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	listeners, err := listen.Open(ctx, listen.Options{Addresses: []string{*address}})
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return srv.Run(ctx, listeners...)
}
