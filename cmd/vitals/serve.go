package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/web"
)

// collectInterval is how often this machine is measured.
const collectInterval = time.Second

// serveConfig is the parsed command line of serve.
type serveConfig struct {
	listen            []string
	insecureAnonymous bool
	log               logConfig
	options           server.Options
}

func newServe() *cobra.Command {
	var c serveConfig
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Measure this machine and answer callers",
		Long: `Measure this machine each second and answer callers over one port: the page in
a browser, Connect, gRPC and gRPC-Web calls over HTTP/1.1 and HTTP/2, reflection,
health checks, and the server's own metrics at /metrics.

It ends in order on SIGINT or SIGTERM; a second signal stops it at once.`,
		Example: `  vitals serve
  vitals serve --hostname server01 --listen localhost:8001 --listen localhost:9000
  vitals serve --listen :50051 --insecure-anonymous    # let anyone read`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runServe(cmd.Context(), c, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.listen, "listen", []string{"localhost:50051"}, "`address` to listen on, host:port; port 0 takes a free one; may be repeated")
	f.BoolVar(&c.insecureAnonymous, "insecure-anonymous", false, "let anyone who reaches the server read from it; needed for an address that is not loopback")
	f.StringVar(&c.options.Hostname, "hostname", "", "`name` of this host in all answers (default: the operating system's)")
	f.StringSliceVar(&c.options.AllowedOrigins, "allow-origin", nil, "`origin` (scheme://host[:port]) whose pages may call the server from a browser; may be repeated")
	f.IntVar(&c.options.MaxMessageBytes, "max-message-bytes", server.DefaultMaxMessageBytes, "largest message that is read, in `bytes`")
	f.IntVar(&c.options.MaxStreams, "max-streams", server.DefaultMaxStreams, "how `many` streaming calls may run at once")
	f.DurationVar(&c.options.IdleTimeout, "idle-timeout", server.DefaultIdleTimeout, "how long a connection may stand without a call")
	f.DurationVar(&c.options.SendTimeout, "send-timeout", server.DefaultSendTimeout, "how long a write may wait for a caller that does not read")
	f.DurationVar(&c.options.ShutdownTimeout, "shutdown-timeout", server.DefaultShutdownTimeout, "how long calls may take to end when the server stops")
	c.log.flags(f)
	return cmd
}

// runServe measures and serves until ctx ends. The first part to fail stops the
// others.
func runServe(ctx context.Context, c serveConfig, stderr io.Writer) error {
	log, err := c.log.logger(stderr)
	if err != nil {
		return usageError{err}
	}
	c.options.Logger = log
	c.options.Version = version()
	c.options.Page = web.Handler()
	srv, err := server.New(c.options)
	if err != nil {
		return usageError{err}
	}
	listeners, err := server.Listen(ctx, c.listen, c.insecureAnonymous)
	if errors.Is(err, server.ErrNotLoopback) {
		return usageError{err}
	} else if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	collector := collect.New(collect.Options{Host: srv.Hostname(), Logger: log})
	group.Go(func() error {
		if err := collector.Run(ctx, collectInterval, srv.Publish); ctx.Err() == nil {
			return fmt.Errorf("measuring this machine: %w", err)
		}
		return nil
	})
	group.Go(func() error { return srv.Run(ctx, listeners...) })
	announce(stderr, log, srv.Hostname(), listeners)
	return group.Wait()
}

// announce says where the server is: to a person with a line to paste, to a log
// as a record.
func announce(stderr io.Writer, log *slog.Logger, hostname string, listeners []net.Listener) {
	var urls []string
	for _, l := range listeners {
		if u := "http://" + displayAddress(l.Addr()) + "/"; len(urls) == 0 || urls[len(urls)-1] != u {
			urls = append(urls, u)
		}
	}
	if !isTerminal(stderr) {
		log.Info("serving", "version", version(), "hostname", hostname, "page", urls)
		return
	}
	fmt.Fprintf(stderr, "Vitals %s measures %s\n", version(), hostname)
	for _, u := range urls {
		fmt.Fprintf(stderr, "  page  %s\n", u)
	}
	fmt.Fprintf(stderr, "  try   curl -H 'Content-Type: application/json' -d '{\"metricType\":\"cpu\"}' %smonitoring.MonitoringService/GetMetric\n", urls[0])
}

// displayAddress is the address as a person would type it.
func displayAddress(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	if tcp.IP.IsLoopback() || tcp.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return tcp.String()
}
