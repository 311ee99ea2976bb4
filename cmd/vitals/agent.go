package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/agent/spool"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// agentConfig is the parsed command line of agent.
type agentConfig struct {
	protocol, hostname string
	servers            serversConfig
	tags               []string
	interval           time.Duration
	spool              spool.Options
	log                logConfig
	trust              trustConfig
	credentials        tokenConfig
}

func newAgent() *cobra.Command {
	var c agentConfig
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Measure this machine and report to a server",
		Long: `Measure this machine and report to a server. The agent only calls out, so it
works behind NAT and firewalls. What the server has not acknowledged is kept on
disk, so that an outage of the server or the network loses nothing: when it is
over, live samples go on at once and the rest follows.

With several servers it reports to the first in the list that is well, and moves to
the next when that one fails, with what was not acknowledged. When the first is back,
it returns. Give all agents and readers the same list in the same order.

A server with accounts wants a token. Give all agents of a fleet one enrolment token
('vitals token create --enrol NAME' makes it): each gets a token of its own for it on
first contact, bound to its host, and keeps that in --spool-dir.`,
		Example: `  vitals agent --server http://hub.example.com:50051
  vitals agent --server https://vitals.example.com --hostname web-1 --tag env=prod --tag role=web
  vitals agent --server https://vitals.example.com --token-file /etc/vitals/fleet.token
  vitals agent --server http://hub-1:50051 --server http://hub-2:50051`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAgent(cmd.Context(), c, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	c.servers.serverFlag(f, serverHelp+": it reports to the first that is well")
	f.StringVar(&c.protocol, "protocol", string(client.Connect), "RPC `protocol`: connect, grpc or grpcweb")
	f.StringVar(&c.hostname, "hostname", "", "`name` of this host (default: the operating system's)")
	f.StringArrayVar(&c.tags, "tag", nil, "`key=value` to describe this host with; may be repeated")
	f.DurationVar(&c.interval, "interval", agent.DefaultInterval, "how often to measure")
	f.StringVar(&c.spool.Dir, "spool-dir", filepath.Join(defaultDataDir(), "spool"), "`folder` for samples that the server has not acknowledged")
	f.Var(sizeFlag(&c.spool.MaxBytes, spool.DefaultMaxBytes), "spool-size", "how much `space` they may take, at least 1MB; the oldest go first")
	f.Var(durationFlag(&c.spool.MaxAge, spool.DefaultMaxAge), "spool-age", "how long they are kept, at least 2m; the server's --out-of-order-window should be as long")
	c.trust.flags(f)
	f.StringVar(&c.credentials.token, "token", "", "`token` to call with: the agent's own, or an enrolment token, for which the server gives it one of its own on first contact; better in VITALS_TOKEN or a file")
	f.StringVar(&c.credentials.file, "token-file", "", "`file` with the token; it wins over --token")
	c.log.flags(f)
	mustComplete(cmd, "protocol", "connect", "grpc", "grpcweb")
	return cmd
}

// runAgent measures and reports until ctx ends.
func runAgent(ctx context.Context, c agentConfig, stderr io.Writer) (err error) {
	log, err := c.log.logger(stderr)
	if err != nil {
		return usageError{err}
	}
	if err := c.check(); err != nil {
		return usageError{err}
	}
	who, err := c.reporter(ctx)
	if err != nil {
		return usageError{err}
	}
	c.spool.Logger = log
	queue, err := spool.Open(c.spool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	if who.HostId, err = c.hostID(ctx, log); err != nil {
		return err
	}
	cl, err := c.dial(who, log)
	if err != nil {
		return err
	}
	defer cl.Close()
	log.Info("agent", "version", version(), "hostname", who.GetHostname(), "server", cl.Target(), "interval", c.interval.String(), "spool", c.spool.Dir, "waiting_records", queue.Stats().Records)
	go keepTrim(ctx, log)
	return agent.New(agent.Options{
		Reporter:   who,
		Collector:  collect.New(collect.Options{Host: who.GetHostname(), Logger: log}),
		Interval:   c.interval,
		Spool:      queue,
		Server:     cl.Ingest(),
		Disconnect: cl.Disconnect,
		Logger:     log,
	}).Run(ctx)
}

// hostID is the id of this host. A folder that was cloned from another machine has
// the other's token too, which is for the other alone.
func (c *agentConfig) hostID(ctx context.Context, log *slog.Logger) (string, error) {
	id, moved, err := hostID(c.spool.Dir, machineID(ctx))
	if err != nil || !moved {
		return id, err
	}
	if err := os.Remove(filepath.Join(c.spool.Dir, agentTokenName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("letting go of the other machine's token: %w", err)
	}
	log.Warn("the spool's folder comes from another machine; this one reports under an id of its own", "spool", c.spool.Dir)
	return id, nil
}

// reporter is what the agent says of its host.
func (c *agentConfig) reporter(ctx context.Context) (*monitoringv1.Reporter, error) {
	if c.hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("this machine's host name cannot be read (%w); name it yourself with --hostname", err)
		}
		c.hostname = name
	}
	if err := metric.CheckHost(c.hostname); err != nil {
		return nil, err
	}
	tags, err := parsePairs("tag", c.tags)
	if err != nil {
		return nil, err
	}
	return &monitoringv1.Reporter{
		Hostname:     c.hostname,
		Os:           runtime.GOOS,
		Platform:     platform(ctx),
		Architecture: runtime.GOARCH,
		AgentVersion: version(),
		Tags:         tags,
		Interval:     durationpb.New(c.interval),
	}, nil
}

// platform names the distribution and its version, such as debian 12.
func platform(ctx context.Context) string {
	name, _, release, err := host.PlatformInformationWithContext(ctx)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(name + " " + release)
}
