package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/rpcload"
	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
)

// messages is how many a stream of the RPC benchmark has.
const messages = 1000

// callee is a server that is measured.
type callee struct {
	name string
	p    *process.Process
	addr string
	cost []float64 // processor time a call or message, in microseconds, a round each
	rate []float64 // calls or messages a second
}

// rpc calls Vitals by gRPC over its own HTTP/2 and over net/http's, and grpc-go,
// in turn: each on one core, the load from the others. What counts is processor
// time a call, which other programs on the machine disturb less than the rate.
func (b *bench) rpc(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	callees, err := b.callees(ctx, dir)
	defer func() {
		for _, c := range callees {
			c.p.Stop()
		}
	}()
	if err != nil {
		return err
	}
	defer process.KeepOff(1, runtime.NumCPU())()
	request, err := proto.Marshal(&monitoringpb.MetricRequest{MetricType: "cpu"})
	if err != nil {
		return err
	}
	unary := rpcload.Load{Procedure: "/monitoring.MonitoringService/GetMetric", Request: request, Conns: 4, InFlight: 32, Messages: 1, Check: checkMetric}
	if request, err = proto.Marshal(&diagnosticsv1.CountUpRequest{To: messages}); err != nil {
		return err
	}
	stream := rpcload.Load{Procedure: "/diagnostics.v1.DiagnosticsService/CountUp", Request: request, Conns: 4, InFlight: 8, Messages: messages, Check: checkNumber}
	if err := b.compare(ctx, t, callees, "unary GetMetric by gRPC, a call", unary, 1); err != nil {
		return err
	}
	return b.compare(ctx, t, callees, "stream of 1,000 small messages by gRPC, a message", stream, 1.4)
}

func checkMetric(_ int, message []byte) error {
	var m monitoringpb.MetricResponse
	if err := proto.Unmarshal(message, &m); err != nil {
		return err
	}
	if m.GetHostname() != "bench-server" || m.GetMetricType() != "cpu" || m.GetUnit() != "percent" || m.GetTimestamp() == 0 {
		return fmt.Errorf("a wrong answer: %v", &m)
	}
	return nil
}

func checkNumber(number int, message []byte) error {
	var m diagnosticsv1.CountUpResponse
	if err := proto.Unmarshal(message, &m); err != nil {
		return err
	}
	if int(m.GetNumber()) != number+1 {
		return fmt.Errorf("message %d of a stream says %d", number, m.GetNumber())
	}
	return nil
}

func (b *bench) callees(ctx context.Context, dir string) ([]*callee, error) {
	program, plain := filepath.Join(b.work, "grpcgo"), filepath.Join(b.work, "plain")
	if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.work, "./grpcgo", "./plain").CombinedOutput(); err != nil { //nolint:gosec // our own programs
		return nil, fmt.Errorf("the peers do not build (%w): %s", err, out)
	}
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	ready, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	var all []*callee
	p, err := process.Start(ctx, 1, program, "--listen", addr, "--ready", ready)
	if err != nil {
		return nil, err
	}
	all = append(all, &callee{name: "grpc-go", p: p, addr: addr})
	if err := p.Ready(ctx, "http://"+ready); err != nil {
		return all, err
	}
	if addr, err = process.FreeAddress(); err != nil {
		return all, err
	}
	if p, err = process.Start(ctx, 1, plain, "--listen", addr); err != nil {
		return all, err
	}
	all = append(all, &callee{name: "a bare connect.Server over server/h2", p: p, addr: addr})
	if err := p.Ready(ctx, "http://"+addr+"/healthz"); err != nil {
		return all, err
	}
	for _, who := range []string{"own", "std"} {
		data := filepath.Join(dir, who)
		if err := os.Mkdir(data, 0o700); err != nil {
			return all, err
		}
		p, url, err := b.serveWith(ctx, 1, data, "--http2", who)
		if err != nil {
			return all, err
		}
		all = append(all, &callee{name: "vitals serve --http2=" + who, p: p, addr: url[len("http://"):]})
	}
	return all, waitForMetric(ctx, all[2:])
}

// waitForMetric waits until the servers have measured their host.
func waitForMetric(ctx context.Context, callees []*callee) error {
	for _, c := range callees {
		if err := c.p.Ready(ctx, "http://"+c.addr+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

// compare runs a load against each in turn, several times.
func (b *bench) compare(ctx context.Context, t *result.Table, callees []*callee, what string, load rpcload.Load, aim float64) error {
	rounds, each := max(b.rounds, 5), 2*time.Second
	if b.full {
		each = 5 * time.Second
	}
	for _, c := range callees {
		c.cost, c.rate = nil, nil
	}
	for round := range rounds + 1 {
		for _, c := range callees {
			l := load
			l.Addr = c.addr
			before := c.p.CPU()
			got, err := l.Run(ctx, each)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if got.Messages == 0 {
				return errors.New(c.name + " answered nothing")
			}
			if round == 0 {
				continue // warm-up
			}
			c.cost = append(c.cost, float64((c.p.CPU()-before).Microseconds())/float64(got.Messages))
			c.rate = append(c.rate, float64(got.Messages)/got.Took.Seconds())
		}
	}
	peer, std := callees[0], callees[3]
	peerCost := result.Median(peer.cost)
	for _, c := range callees[1:] {
		ratios := make([]float64, len(c.cost))
		for i := range ratios {
			ratios[i] = peer.cost[i] / c.cost[i]
		}
		verdict := ""
		ratio := result.Median(ratios)
		if c != std {
			verdict = result.AtLeast(ratio, aim)
		}
		t.Add(what+", "+c.name,
			fmt.Sprintf("%.2f µs of one core (%.0f/s)", result.Median(c.cost), result.Median(c.rate)),
			fmt.Sprintf("grpc-go %.2f µs (%.0f/s): %.2fx (%.2f to %.2f)", peerCost, result.Median(peer.rate), ratio, slices.Min(ratios), slices.Max(ratios)),
			verdict)
	}
	return nil
}
