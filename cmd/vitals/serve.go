package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/ingest"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/loglimit"
	"github.com/vitals-rpc/vitals/server/rpc"
	"github.com/vitals-rpc/vitals/web"
)

// collectInterval is how often this machine is measured.
const collectInterval = time.Second

// serveConfig is the parsed command line of serve.
type serveConfig struct {
	listen  listenConfig
	access  accessConfig
	tags    []string
	log     logConfig
	options server.Options
}

func newServe() *cobra.Command {
	var c serveConfig
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Measure this machine and answer callers",
		Long: `Measure this machine each second and answer callers over one port: the page in
a browser, Connect, gRPC and gRPC-Web calls over HTTP/1.1 and HTTP/2, reflection,
health checks, and the server's own metrics at /metrics.

On this machine's own addresses it is open as long as there are no accounts. Make
an admin ('vitals user add NAME --role admin', or --first-admin) before it listens
anywhere else; from then on every caller needs a token.

It ends in order on SIGINT or SIGTERM; a second signal stops it at once.`,
		Example: `  vitals serve
  vitals serve --hostname server01 --listen localhost:8001 --listen localhost:9000
  vitals serve --listen :50051                         # once there is an admin
  vitals serve --listen :50051 --anonymous-viewer      # a public status page
  vitals serve --tls-self-signed                       # https, for a first try
  vitals serve --tls-cert server.pem --tls-key server.key --tls-client-ca clients.pem`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return usageError{err}
			}
			return runServe(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	c.listen.flags(f)
	c.access.flags(f)
	f.StringVar(&c.options.Hostname, "hostname", "", "`name` of this host in all answers (default: the operating system's)")
	f.StringArrayVar(&c.tags, "tag", nil, "`key=value` to describe this host with; may be repeated")
	f.StringSliceVar(&c.options.AllowedOrigins, "allow-origin", nil, "`origin` (scheme://host[:port]) whose pages may call the server from a browser; may be repeated")
	h := &c.options.History
	f.StringVar(&h.Dir, "data-dir", defaultDataDir(), "`folder` for history and all else that is kept")
	f.Var(durationFlag(&h.RawRetention, 15*day), "retention", "how long every sample is kept, such as 15d; at least 2h")
	f.Var(sizeFlag(&h.RawRetentionBytes, 0), "retention-size", "how much `space` every sample may take, such as 10GB; the oldest go first (default: no limit)")
	f.Var(durationFlag(&h.MinuteRetention, 365*day), "retention-minute", "how long averages of a minute are kept; at least an hour more than --out-of-order-window")
	f.Var(durationFlag(&h.HourRetention, 3650*day), "retention-hour", "how long averages of an hour are kept; at least as long as that")
	f.Var(durationFlag(&h.OutOfOrderWindow, day), "out-of-order-window", "how late samples may come in")
	f.IntVar(&c.options.MaxHosts, "max-hosts", ingest.DefaultMaxHosts, "how `many` host names may report")
	f.IntVar(&c.options.MaxSeriesPerHost, "max-series-per-host", ingest.DefaultMaxSeriesPerHost, "how `many` series one host may have")
	f.IntVar(&c.options.MaxSampleRate, "max-sample-rate", ingest.DefaultMaxRate, "how `many` samples a second one host may send for long")
	f.IntVar(&c.options.MaxMessageBytes, "max-message-bytes", server.DefaultMaxMessageBytes, "largest message that is read, in `bytes`")
	f.IntVar(&c.options.MaxStreams, "max-streams", server.DefaultMaxStreams, "how `many` streaming calls may run at once")
	f.Var(durationFlag(&c.options.MaxStreamAge, server.DefaultMaxStreamAge), "max-stream-age", "how long a streaming call may run before it must be opened again")
	f.DurationVar(&c.options.IdleTimeout, "idle-timeout", server.DefaultIdleTimeout, "how long a connection may stand without a call")
	admit := &c.options.Admission
	f.IntVar(&admit.CallsPerSecond, "max-calls-per-second", admission.DefaultCallsPerSecond, "how `many` calls one caller may begin a second for long; -1: any number")
	f.IntVar(&admit.StreamsPerCaller, "max-streams-per-caller", admission.DefaultStreamsPerCaller, "how `many` streams one caller may have open; -1: any number")
	f.IntVar(&admit.BytesPerSecond, "max-bytes-per-second", admission.DefaultBytesPerSecond, "how many `bytes` of messages one caller may send a second for long; -1: any number")
	f.IntVar(&admit.CallsAtWork, "max-calls-at-work", admission.DefaultCallsAtWork, "how `many` unary calls may be worked on at once; -1: any number")
	f.IntVar(&admit.CallsAtWorkPerCaller, "max-calls-at-work-per-caller", admission.DefaultCallsAtWorkPerCaller(), "how `many` of these may be one caller's (default: two for each processor); what it calls beyond waits; -1: any number")
	f.Int64Var(&admit.MaxMemory, "max-memory", 0, "`bytes` of live heap above which new calls are refused; 0: no bound")
	f.DurationVar(&c.options.ReadTimeout, "read-timeout", server.DefaultReadTimeout, "how long the one message of a call may take to arrive; ten times that for the next one of a client's stream")
	f.DurationVar(&c.options.SendTimeout, "send-timeout", server.DefaultSendTimeout, "how long a write may wait for a caller that does not read")
	f.DurationVar(&c.options.Heartbeat, "heartbeat", rpc.DefaultHeartbeat, "how long a live stream stays quiet before it says that it is there; less than any proxy's read timeout, and at most 30s")
	f.DurationVar(&c.options.ShutdownTimeout, "shutdown-timeout", server.DefaultShutdownTimeout, "how long calls may take to end when the server stops")
	f.DurationVar(&c.options.MaxConnectionAge, "max-connection-age", 0, "how long an HTTP/2 connection may last before its client is asked to open another, such as 1h; evens out the load behind a balancer (default: no limit)")
	c.options.HTTP2 = server.OwnHTTP2
	f.Var(&c.options.HTTP2, "http2", "who serves HTTP/2: own, which is made for many small messages, or std, Go's net/http")
	c.log.flags(f)
	return cmd
}

// runServe measures and serves until ctx ends. The first part to fail stops the
// others.
func runServe(ctx context.Context, c serveConfig, stdout, stderr io.Writer) error {
	log, err := c.log.logger(stderr)
	if err != nil {
		return usageError{err}
	}
	if beat := c.options.Heartbeat; beat <= 0 || beat > rpc.MaxHeartbeat {
		return usageError{fmt.Errorf("--heartbeat is %s: give more than 0 and at most %s, for readers take a longer silence for a server that is gone", beat, rpc.MaxHeartbeat)}
	}
	log = slog.New(loglimit.New(log.Handler(), account.AuditMessage)) // for all that serves
	c.options.Logger = log
	c.options.Version = version()
	c.options.Page = web.Handler()
	if err := c.access.open(ctx, &c.options, stdout); err != nil {
		return err
	}
	c.listen.accountsHold = c.options.Accounts.HasAdmin()
	c.options.InsecureAnonymous = c.listen.insecureAnonymous
	door, err := c.listen.open(ctx, c.options.History.Dir, log)
	if err != nil {
		return errors.Join(err, c.options.Accounts.Close())
	}
	defer listen.CloseAll(door.listeners) // those that nothing came to be served on
	c.options.TrustedProxies = c.listen.proxies
	c.options.AllowedHosts = append(c.options.AllowedHosts, door.names()...)
	debug, err := c.access.debug(ctx)
	if err != nil {
		return errors.Join(err, c.options.Accounts.Close())
	}
	defer listen.CloseAll(debug)
	srv, err := server.New(ctx, c.options)
	if errors.Is(err, server.ErrNotOrigin) {
		return usageError{err}
	} else if err != nil {
		return err
	}

	defer keepHeapFloor(c.heapFloor())()
	group, ctx := errgroup.WithContext(ctx)
	collector := collect.New(collect.Options{Host: srv.Hostname(), Logger: log})
	own, err := newOwnReports(ctx, srv, c, log)
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	group.Go(func() error {
		return collector.Run(ctx, collectInterval, func(s []metric.Sample) { own.report(ctx, s) })
	})
	group.Go(func() error { return srv.Run(ctx, door.listeners...) })
	group.Go(func() error { door.watch(ctx); return nil })
	for _, l := range debug {
		log.Info("profiles are served", "address", l.Addr().String())
		group.Go(func() error { return srv.RunDebug(ctx, l) })
	}
	door.announce(stderr, log, srv.Hostname())
	return errors.Join(group.Wait(), srv.Close())
}
