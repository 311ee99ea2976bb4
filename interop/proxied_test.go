package interop_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/agent/spool"
	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// TestProxies sends everything through the configurations that are shipped.
func TestProxies(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.settle(t)
			t.Run("page", p.page)
			t.Run("calls", p.calls)
			t.Run("idle", p.idle)
			t.Run("agent and failover", p.failover)
		})
	}
}

// settle waits until the proxy takes the first server to be well.
func (p *proxied) settle(t *testing.T) {
	c := p.client(t, servertest.Connections()[0], false, client.WithRetry(1))
	servertest.Eventually(t, "the proxy passes calls on to the first server", func() bool {
		res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{MetricType: "disk"})
		return err == nil && res.GetHostname() == "hub-1"
	})
}

func (p *proxied) page(t *testing.T) {
	res, err := http.Get(p.http1 + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), "<title>") {
		t.Errorf("the page: %s, %v: %.200s", res.Status, err, text)
	}
}

// calls makes each kind of call in each protocol, with TLS and without.
func (p *proxied) calls(t *testing.T) {
	for _, conn := range servertest.Connections() {
		for _, secure := range []bool{false, true} {
			c := p.client(t, conn, secure)
			res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{MetricType: "disk"})
			if err != nil || res.GetHostname() != "hub-1" || res.GetUnit() != "GB" {
				t.Errorf("%s, TLS %t: unary: %v, %v", conn.Name, secure, res, err)
			}
			if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{MetricType: "nothing"}); err == nil || !strings.Contains(err.Error(), "is not known") {
				t.Errorf("%s, TLS %t: an error comes as %v", conn.Name, secure, err)
			}
			f := func(kind string, err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s, TLS %t: %s: %v", conn.Name, secure, kind, err)
				}
			}
			f("stream from the server", fromServer(t, c))
			if conn.HTTP2 {
				f("stream both ways", bothWays(t, c))
			}
		}
	}
}

// idle holds streams on which nothing comes but heartbeats for much longer than the
// proxy lets anything be silent.
func (p *proxied) idle(t *testing.T) {
	const held = 2 * cutAfter
	var all sync.WaitGroup
	hold := func(name string, receive func() error) {
		all.Go(func() {
			beats, began := 0, time.Now()
			for ; time.Since(began) < held; beats++ {
				if err := receive(); err != nil {
					t.Errorf("%s: cut after %v: %v", name, time.Since(began), err)
					return
				}
			}
			if beats < 3 {
				t.Errorf("%s: %d messages", name, beats)
			}
		})
	}
	ctx := within(t, held+servertest.Patience)
	nothing := []*monitoringv1.Selector{{Hostnames: []string{"nobody"}}}
	for _, conn := range servertest.Connections() {
		stream, err := p.client(t, conn, false).Live().Subscribe(ctx, &monitoringv1.SubscribeRequest{Selectors: nothing})
		if err != nil {
			t.Errorf("%s: %v", conn.Name, err)
			continue
		}
		hold(conn.Name, func() error { _, err := stream.Receive(); return err })
		defer stream.Close()
		if !conn.HTTP2 {
			continue
		}
		both, err := p.client(t, conn, false).Live().Watch(ctx)
		if err == nil {
			err = both.Send(&monitoringv1.WatchRequest{Selectors: nothing})
		}
		if err != nil {
			t.Errorf("%s: %v", conn.Name, err)
			continue
		}
		defer both.Close()
		// The caller's side must not be silent for longer either.
		all.Go(func() {
			for began := time.Now(); time.Since(began) < held; time.Sleep(cutAfter / 3) {
				if both.Send(&monitoringv1.WatchRequest{Selectors: nothing}) != nil {
					return // Receive has the reason
				}
			}
		})
		hold(conn.Name+", both ways", func() error { _, err := both.Receive(); return err })
	}
	// What has no heartbeat shows that the timeout is real.
	all.Go(func() {
		conn, err := grpc.NewClient(strings.TrimPrefix(p.h2c, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		states, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		for err == nil {
			_, err = states.Recv()
		}
		if ctx.Err() != nil {
			t.Error("a stream without heartbeats was not cut")
		}
	})
	all.Wait()
}

// failover has an agent report through the proxy, and kills the server that it
// reports to.
func (p *proxied) failover(t *testing.T) {
	conns := servertest.Connections()
	agents := map[string]servertest.Connection{"by-connect": conns[2], "by-grpc": conns[4], "by-grpcweb": conns[5]}
	for host, conn := range agents {
		runAgent(t, host, p.client(t, conn, false, client.WithGzip()))
	}
	reports := func(to *servertest.Gate) {
		t.Helper()
		for host := range agents {
			// An agent's stream lasts ten seconds, and the next may go elsewhere.
			from := time.Now()
			for !newest(t, to, host).After(from) {
				if time.Since(from) > 10*time.Second+2*servertest.Patience {
					t.Fatalf("%s does not report to %s", host, to.Hostname())
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	reports(p.first)
	asks := func() {
		t.Helper()
		for _, conn := range conns {
			for range 5 {
				if _, err := p.client(t, conn, false).Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); err != nil {
					t.Errorf("%s: %v", conn.Name, err)
				}
			}
		}
	}
	asks()
	p.first.Kill()
	asks() // none fails
	reports(p.second)
	p.first.Revive()
	reports(p.first)
	asks()
}

// newest is when a server has last heard of a host.
func newest(t *testing.T, g *servertest.Gate, host string) time.Time {
	t.Helper()
	res, err := g.Client(servertest.Connections()[0]).Query().ListHosts(t.Context(), &monitoringv1.ListHostsRequest{HostnamePrefix: host})
	for _, h := range res.GetHosts() {
		if err == nil && h.GetHostname() == host {
			return h.GetLastSeen().AsTime()
		}
	}
	return time.Time{}
}

// runAgent reports this machine under a name until the test ends.
func runAgent(t *testing.T, host string, c *client.Client) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	queue, err := spool.Open(spool.Options{Dir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Options{
		Reporter: &monitoringv1.Reporter{Hostname: host, HostId: host}, Collector: collect.New(collect.Options{Host: host, Logger: quiet}),
		Spool: queue, Server: c.Ingest(), Disconnect: c.Disconnect, Logger: quiet,
	})
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	running.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Errorf("the agent %s: %v", host, err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := queue.Close(); err != nil {
			t.Error(err)
		}
	})
}

// fromServer calls a stream from the server.
func fromServer(t *testing.T, c *client.Client) error {
	stream, err := c.Monitoring().StreamMetrics(t.Context(), &monitoring.MetricRequest{})
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = stream.Receive()
	return err
}

// bothWays calls a stream both ways, each message answered before the next.
func bothWays(t *testing.T, c *client.Client) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.Live().Watch(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		if err := stream.Send(&monitoringv1.WatchRequest{Selectors: []*monitoringv1.Selector{{Hostnames: []string{"nobody"}}}}); err != nil {
			return err
		}
		if _, err := stream.Receive(); err != nil {
			return err
		}
	}
	return nil
}
