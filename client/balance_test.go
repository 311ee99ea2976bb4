package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/client/balance"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// quick makes what takes seconds by default take less.
var quick = client.WithHealthCheck(client.HealthCheck{
	Interval: 100 * time.Millisecond, Timeout: 3 * time.Second, MinBackoff: 50 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
})

const anyPort = "127.0.0.1:0"

// newGate starts a server behind a gate.
func newGate(t *testing.T) *servertest.Gate {
	t.Helper()
	srv := servertest.NewSeeded(t, server.Options{})
	srv.KeepWell()
	return servertest.NewGate(t, srv, anyPort)
}

func newGates(t *testing.T, n int) (gates []*servertest.Gate, targets []string) {
	t.Helper()
	for range n {
		g := newGate(t)
		gates, targets = append(gates, g), append(targets, g.Front)
	}
	return gates, targets
}

// answered is how many GetMetric the server behind a gate has answered.
func answered(g *servertest.Gate) int { return len(g.Log.Lines("MonitoringService/GetMetric")) }

func dialMany(t *testing.T, targets []string, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.NewBalanced(targets, append([]client.Option{quick, client.WithTimeout(servertest.Patience)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ask calls n times, so many at once, and fails the test for a call that fails.
func ask(t *testing.T, c *client.Client, n, atOnce int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); err != nil {
					t.Errorf("a call failed: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// since returns how many calls each server has answered in f.
func since(gates []*servertest.Gate, f func()) []int {
	var out []int
	for _, g := range gates {
		out = append(out, -answered(g))
	}
	f()
	for i, g := range gates {
		out[i] += answered(g)
	}
	return out
}

// well waits until the client takes the servers to be so.
func well(t *testing.T, c *client.Client, want ...bool) {
	t.Helper()
	servertest.Eventually(t, fmt.Sprintf("the servers are known to be well: %v", want), func() bool {
		var got []bool
		for _, s := range c.Servers() {
			got = append(got, s.Well)
		}
		return slices.Equal(got, want)
	})
}

// fair says how n calls ought to be spread, by policy, over the servers that are up.
func fair(t *testing.T, policy balance.Policy, got []int, up ...bool) {
	t.Helper()
	n, servers := 0, 0
	for i := range got {
		n += got[i]
		if up[i] {
			servers++
		}
	}
	first := slices.Index(up, true)
	for i := range got {
		share := float64(n) / float64(servers)
		var ok bool
		switch {
		case !up[i]:
			ok = got[i] == 0
		case policy == balance.First:
			ok = (got[i] > 0) == (i == first)
		case policy == balance.RoundRobin:
			ok = float64(got[i]) >= share-1.5 && float64(got[i]) <= share+1.5
		case policy == balance.LeastLoaded: // how much each gets hangs on what else the machine does
			ok = true
		default:
			ok = float64(got[i]) > share/4
		}
		if !ok {
			t.Errorf("%s: %v calls with servers up %v", policy, got, up)
			return
		}
	}
}

// TestPolicies kills a server under each policy, brings it back, makes it hang and
// brings it back again.
func TestPolicies(t *testing.T) {
	for _, name := range balance.Policies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := balance.Policy(name)
			gates, targets := newGates(t, 3)
			c := dialMany(t, targets, client.WithPolicy(policy))
			up := []bool{true, true, true}
			fair(t, policy, since(gates, func() { ask(t, c, 60, 1) }), up...)

			gates[0].Kill()
			ask(t, c, 60, 4) // none fails
			well(t, c, false, true, true)
			fair(t, policy, since(gates, func() { ask(t, c, 60, 1) }), false, true, true)

			gates[0].Revive()
			well(t, c, true, true, true)
			fair(t, policy, since(gates, func() { ask(t, c, 60, 1) }), up...)

			gates[0].Hang(true)
			ask(t, c, 20, 4) // those that wait for it go elsewhere
			well(t, c, false, true, true)
			fair(t, policy, since(gates, func() { ask(t, c, 60, 1) }), false, true, true)

			gates[0].Hang(false)
			well(t, c, true, true, true)
			fair(t, policy, since(gates, func() { ask(t, c, 60, 1) }), up...)
		})
	}
}

// A server that is slow and well gets less of the work by the one policy that looks.
func TestLeastLoadedKeepsOffTheSlow(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 3)
	c := dialMany(t, targets, client.WithPolicy(balance.LeastLoaded))
	ask(t, c, 30, 1)
	gates[1].Slow(time.Second)
	got := since(gates, func() { ask(t, c, 150, 3) })
	if got[1] > 25 || got[0] < 30 || got[2] < 30 {
		t.Errorf("%v calls, the one in the middle being slow", got)
	}
	gates[1].Slow(0)
	servertest.Eventually(t, "it gets its share again", func() bool {
		got := since(gates, func() { ask(t, c, 30, 1) })
		return got[1] >= 5
	})
}

// Every protocol tells a dead server from one that answers, in its own way.
func TestEveryConnectionMovesOn(t *testing.T) {
	gates, targets := newGates(t, 2)
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := dialMany(t, targets, append([]client.Option{client.WithPolicy(balance.RoundRobin)}, conn.Options...)...)
		ask(t, c, 4, 1)
		well(t, c, true, true)
	})
	gates[1].Kill()
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		c := dialMany(t, targets, append([]client.Option{client.WithPolicy(balance.RoundRobin)}, conn.Options...)...)
		ask(t, c, 6, 2)
	})
}

// A server that says that it does not serve is left out, and its calls go on.
func TestNotServing(t *testing.T) {
	t.Parallel()
	sick := servertest.NewSeeded(t, server.Options{})
	gates := []*servertest.Gate{servertest.NewGate(t, sick, anyPort), newGate(t)}
	c := dialMany(t, []string{gates[0].Front, gates[1].Front})
	ask(t, c, 1, 1)
	sick.Stop() // it ends its streams and refuses, then closes
	well(t, c, false, true)
	ask(t, c, 10, 2)
}

// What may not be made twice is not, once it may have arrived.
func TestNotTwice(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 2)
	batch := func(at *timestamppb.Timestamp) *monitoringv1.ReportBatchRequest {
		return &monitoringv1.ReportBatchRequest{Hostname: "web-1", Samples: []*monitoringv1.CustomSample{{MetricType: "jobs", Value: 1, Time: at}}}
	}
	stored := func(g *servertest.Gate) int { return len(g.Log.Lines("IngestService/ReportBatch")) }

	c := dialMany(t, targets)
	gates[0].Kill()
	if _, err := c.Ingest().ReportBatch(t.Context(), batch(nil)); err != nil {
		t.Errorf("nothing of it was sent to the dead server, and yet: %v", err)
	}
	gates[0].Revive()
	well(t, c, true, true)

	// The request arrives and the answer is lost.
	lost := func(at *timestamppb.Timestamp) error {
		t.Helper()
		gates[0].Slow(time.Hour)
		before := stored(gates[0])
		done := make(chan error, 1)
		go func() {
			_, err := c.Ingest().ReportBatch(t.Context(), batch(at))
			done <- err
		}()
		servertest.Eventually(t, "the server has it", func() bool { return stored(gates[0]) > before })
		gates[0].Kill()
		return <-done
	}
	before := stored(gates[1])
	if err := lost(nil); connect.CodeOf(err) != connect.CodeUnavailable || stored(gates[1]) != before {
		t.Errorf("a batch without a time: %v, %d times at the other server", err, stored(gates[1])-before)
	}
	gates[0].Slow(0)
	gates[0].Revive()
	well(t, c, true, true)
	if err := lost(timestamppb.Now()); err != nil || stored(gates[1]) != before+1 {
		t.Errorf("a batch that says all: %v, %d times at the other server", err, stored(gates[1])-before)
	}
}

// When all are down, callers do not multiply what meets the first to come back.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	s := &flaky{code: connect.CodeUnavailable, failures: 1 << 30}
	url := serve(t, s, false).URL
	c := dialMany(t, []string{url}, client.WithRetry(3))
	const calls = 300
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range calls / 10 {
				if _, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{}); connect.CodeOf(err) != connect.CodeUnavailable {
					t.Errorf("%v", err)
				}
			}
		})
	}
	began := time.Now()
	all.Wait()
	most := calls + 20 + calls/5 + int(time.Since(began).Seconds()) + 1
	if got := int(s.gets.Load()); got > most || got <= calls {
		t.Errorf("%d calls became %d, want at most %d", calls, got, most)
	}
}

// A deadline that is short is kept, whatever the server.
func TestDeadlineIsKept(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 2)
	gates[0].Hang(true)
	gates[1].Hang(true)
	c := dialMany(t, targets)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := c.Monitoring().GetMetric(ctx, &monitoring.MetricRequest{})
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// resolver answers as the test has it.
type resolver struct {
	mu    sync.Mutex
	hosts []string
	srv   []*net.SRV
	err   error
	asked int
}

func (r *resolver) set(f func()) { r.mu.Lock(); defer r.mu.Unlock(); f() }

func (r *resolver) LookupHost(_ context.Context, host string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if host != "vitals.test" {
		return nil, fmt.Errorf("no such host %s", host)
	}
	return slices.Clone(r.hosts), r.err
}

func (r *resolver) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if service != "" || proto != "" || name != "_vitals._tcp.vitals.test" {
		return "", nil, fmt.Errorf("no such records %s", name)
	}
	return name, slices.Clone(r.srv), r.err
}

// loopbacks starts servers at one port of different addresses.
func loopbacks(t *testing.T, hosts ...string) (gates map[string]*servertest.Gate, port string) {
	t.Helper()
	gates = map[string]*servertest.Gate{}
	for _, host := range hosts {
		srv := servertest.NewSeeded(t, server.Options{AllowedHosts: []string{"vitals.test"}})
		srv.KeepWell()
		g := servertest.NewGate(t, srv, net.JoinHostPort(host, cmp.Or(port, "0")))
		_, port, _ = net.SplitHostPort(g.Front)
		gates[host] = g
	}
	return gates, port
}

// TestDNS follows a name whose addresses change.
func TestDNS(t *testing.T) {
	t.Parallel()
	gates, port := loopbacks(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	r := &resolver{hosts: []string{"127.0.0.2", "127.0.0.1"}}
	c := dialMany(t, []string{"dns:///vitals.test:" + port}, client.WithResolver(r), client.WithPolicy(balance.RoundRobin),
		client.WithLookupInterval(50*time.Millisecond))
	if len(c.Servers()) != 0 || c.Target() != "dns:///vitals.test:"+port {
		t.Errorf("before the first call: %v, %s", c.Servers(), c.Target())
	}
	ask(t, c, 10, 1)
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		if answered(gates[host]) != 5 {
			t.Errorf("%s: %d of 10 calls", host, answered(gates[host]))
		}
	}
	if at := gates["127.0.0.1"].Log.Lines("GetMetric"); len(at) == 0 {
		t.Error("nothing is logged")
	}

	r.set(func() { r.hosts = []string{"127.0.0.3"} })
	servertest.Eventually(t, "the new address is known", func() bool {
		s := c.Servers()
		return len(s) == 1 && strings.Contains(s[0].Address, "127.0.0.3")
	})
	ask(t, c, 3, 1)
	if answered(gates["127.0.0.3"]) != 3 {
		t.Errorf("%d of 3 calls at the new address", answered(gates["127.0.0.3"]))
	}

	r.set(func() { r.err = errors.New("the name server is away") })
	asked := func() (n int) { r.set(func() { n = r.asked }); return n }
	before := asked()
	servertest.Eventually(t, "it goes on asking", func() bool { return asked() > before+2 })
	ask(t, c, 3, 1) // what was known still holds
}

// A name is looked up again at once when a server behind it fails.
func TestDNSOnFailure(t *testing.T) {
	t.Parallel()
	gates, port := loopbacks(t, "127.0.0.1", "127.0.0.2")
	r := &resolver{hosts: []string{"127.0.0.1"}}
	c := dialMany(t, []string{"dns:///vitals.test:" + port}, client.WithResolver(r), client.WithLookupInterval(time.Hour))
	ask(t, c, 1, 1)
	r.set(func() { r.hosts = []string{"127.0.0.2"} })
	gates["127.0.0.1"].Kill()
	servertest.Eventually(t, "the call succeeds at the new address", func() bool {
		_, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
		return err == nil
	})
}

func TestDNSWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := &resolver{err: errors.New("the name server is away")}
	c := dialMany(t, []string{"dns:///vitals.test:1"}, client.WithResolver(r), client.WithRetry(1))
	_, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
	if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "the name server is away") {
		t.Errorf("%v", err)
	}
	r.set(func() { r.err = nil })
	_, err = c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
	if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "no address") {
		t.Errorf("%v", err)
	}
}

// TestSRV keeps to priorities and weights.
func TestSRV(t *testing.T) {
	t.Parallel()
	gates, port := loopbacks(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	record := func(host string, priority, weight uint16) *net.SRV {
		return &net.SRV{Target: host + ".", Port: uint16(number), Priority: priority, Weight: weight}
	}
	r := &resolver{srv: []*net.SRV{record("127.0.0.3", 20, 1), record("127.0.0.1", 10, 3), record("127.0.0.2", 10, 1)}}
	c := dialMany(t, []string{"srv:///_vitals._tcp.vitals.test"}, client.WithResolver(r), client.WithPolicy(balance.RoundRobin))
	ask(t, c, 40, 1)
	a, b, spare := answered(gates["127.0.0.1"]), answered(gates["127.0.0.2"]), answered(gates["127.0.0.3"])
	if a != 30 || b != 10 || spare != 0 {
		t.Errorf("%d, %d and %d calls, want 30, 10 and 0", a, b, spare)
	}
	gates["127.0.0.1"].Kill()
	gates["127.0.0.2"].Kill()
	ask(t, c, 10, 1)
	if answered(gates["127.0.0.3"]) == 0 {
		t.Error("the spare server was not asked")
	}
	gates["127.0.0.2"].Revive()
	well(t, c, false, true, true)
	if got := since([]*servertest.Gate{gates["127.0.0.2"], gates["127.0.0.3"]}, func() { ask(t, c, 5, 1) }); got[0] != 5 || got[1] != 0 {
		t.Errorf("%v calls after one of the first priority is back", got)
	}
}

// With checks off, a call tries a server that was left out.
func TestWithoutChecks(t *testing.T) {
	t.Parallel()
	gates, targets := newGates(t, 2)
	c := dialMany(t, targets, client.WithHealthCheck(client.HealthCheck{Interval: -1, MinBackoff: 50 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}))
	gates[0].Kill()
	ask(t, c, 10, 2)
	gates[0].Revive()
	servertest.Eventually(t, "the first one is asked again", func() bool {
		return since(gates, func() { ask(t, c, 1, 1) })[0] == 1
	})
	if n := len(gates[1].Log.Lines("grpc.health.v1.Health/Check")); n > 0 {
		t.Errorf("%d checks", n)
	}
}

func TestManyTargets(t *testing.T) {
	f := func(want string, targets ...string) {
		t.Helper()
		c, err := client.NewBalanced(targets)
		if err == nil {
			defer c.Close()
		}
		if got := fmt.Sprint(err); err != nil && !strings.Contains(got, want) || err == nil && c.Target() != want {
			t.Errorf("%q: %v; want %s", targets, got, want)
		}
	}
	f("http://a:1, https://b", "a:1", "https://b/")
	f("dns:///vitals.example.com:50051", "dns:///vitals.example.com:50051")
	f("dns+https:///vitals.example.com:443/api", "dns+https:///vitals.example.com:443/api/")
	f("srv:///_vitals._tcp.example.com", "srv:///_vitals._tcp.example.com")
	f("srv+https:///_vitals._tcp.example.com", "srv+https:///_vitals._tcp.example.com")
	f("has no name and port: write dns:///", "dns:///vitals.example.com")
	f("has no name and port: write dns:///", "dns:///:50051")
	f("has no name: write srv:///", "srv:///")
	f("nor an address such as localhost:50051", "dns://name:1")
	f("nor an address such as localhost:50051", "dns+ftp:///name:1")
	f("no server is named", []string{}...)
	if _, err := client.New("localhost:1", client.WithPolicy("best")); err == nil || !strings.Contains(err.Error(), "none of first, round-robin, random, least-loaded") {
		t.Errorf("an unknown policy: %v", err)
	}
}
