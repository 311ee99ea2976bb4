package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/rpcload"
	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
)

const (
	// messages is how many a stream of the RPC benchmark has.
	messages = 1000
	// rpcConns and rpcInFlight are the connections of HTTP/2 and the calls at once
	// on each. HTTP/1.1 has as many connections as that are calls.
	rpcConns, rpcInFlight = 4, 32
	// The classic and the streaming procedure.
	getMetric = "/monitoring.MonitoringService/GetMetric"
	countUp   = "/diagnostics.v1.DiagnosticsService/CountUp"
)

// comparison is one load on some servers, the first of which is the peer.
type comparison struct {
	what    string
	load    rpcload.Load
	callees []*callee
	// aims are the ratios to the peer that are wanted, by name.
	aims map[string]float64
}

// rpc calls Vitals and its peers over each protocol, in turn: each on one core,
// the load from the others. What counts is processor time a call, which other
// programs on the machine disturb less than the rate.
func (b *bench) rpc(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	s := &site{bench: b, ctx: ctx, dir: dir}
	defer s.stop()
	comparisons, err := s.comparisons()
	if err != nil {
		return err
	}
	defer process.KeepOff(1, runtime.NumCPU())()
	for _, c := range comparisons {
		if !b.wants(c.what) {
			continue
		}
		if err := b.compare(ctx, t, c); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// comparisons starts the servers and says what is compared on which of them.
func (s *site) comparisons() ([]comparison, error) {
	peer := s.grpcGo()
	bare, bareStd := s.plain("own"), s.plain("std")
	vitals, vitalsStd := s.vitals("own"), s.vitals("std")
	if s.err != nil {
		return nil, s.err
	}
	unary, err := unaryLoad()
	if err != nil {
		return nil, err
	}
	stream, err := streamLoad()
	if err != nil {
		return nil, err
	}
	onConnect := func(what string, aim float64, load rpcload.Load) comparison {
		return comparison{"unary GetMetric by " + what + ", a call", load, []*callee{bareStd, vitals}, map[string]float64{vitals.name: aim}}
	}
	grpc := []*callee{peer, bare, vitals, vitalsStd}
	return []comparison{
		{"unary GetMetric by gRPC, a call", unary, grpc, map[string]float64{vitals.name: 1.5}},
		{"stream of 1,000 small messages by gRPC, a message", stream, grpc, map[string]float64{vitals.name: 2}},
		onConnect("Connect JSON over HTTP/2", 2, asJSON(overConnect(unary))),
		onConnect("Connect JSON over HTTP/1.1", 0.9, overHTTP1(asJSON(overConnect(unary)))),
		onConnect("Connect binary over HTTP/2", 0, overConnect(unary)),
		onConnect("Connect binary over HTTP/1.1", 0, overHTTP1(overConnect(unary))),
		onConnect("gRPC-Web over HTTP/2", 0, overGRPCWeb(unary)),
		onConnect("gRPC-Web over HTTP/1.1", 0, overHTTP1(overGRPCWeb(unary))),
	}, nil
}

func unaryLoad() (rpcload.Load, error) {
	request, err := proto.Marshal(&monitoringpb.MetricRequest{MetricType: "cpu"})
	return rpcload.Load{Procedure: getMetric, Request: request, Conns: rpcConns, InFlight: rpcInFlight, Messages: 1, Check: checkMetric}, err
}

func streamLoad() (rpcload.Load, error) {
	request, err := proto.Marshal(&diagnosticsv1.CountUpRequest{To: messages})
	return rpcload.Load{Procedure: countUp, Request: request, Conns: rpcConns, InFlight: 8, Messages: messages, Check: checkNumber}, err
}

func overConnect(l rpcload.Load) rpcload.Load { l.Protocol = rpcload.Connect; return l }

func overGRPCWeb(l rpcload.Load) rpcload.Load { l.Protocol = rpcload.GRPCWeb; return l }

func asJSON(l rpcload.Load) rpcload.Load {
	l.JSON, l.Request, l.Check = true, []byte(`{"metricType":"cpu"}`), checkMetricJSON
	return l
}

func overHTTP1(l rpcload.Load) rpcload.Load {
	l.HTTP1, l.Conns = true, l.Conns*l.InFlight
	return l
}

func checkMetric(_ int, message []byte) error {
	var m monitoringpb.MetricResponse
	if err := proto.Unmarshal(message, &m); err != nil {
		return err
	}
	return checkAnswer(m.GetHostname(), m.GetMetricType(), m.GetUnit(), m.GetValue(), m.GetTimestamp())
}

func checkMetricJSON(_ int, message []byte) error {
	var m struct {
		Hostname, MetricType, Unit string
		Value                      float64
		Timestamp                  int64 `json:",string"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return fmt.Errorf("%s: %w", message, err)
	}
	return checkAnswer(m.Hostname, m.MetricType, m.Unit, m.Value, m.Timestamp)
}

// oldest is how old an observation may be: the peers' is that of their start.
const oldest = time.Hour

func checkAnswer(host, metricType, unit string, value float64, timestamp int64) error {
	age := time.Since(time.Unix(timestamp, 0))
	if host != hostname || metricType != "cpu" || unit != "percent" || value < 0 || value > 100 || age > oldest || age < -time.Second {
		return fmt.Errorf("a wrong answer: %s of %s is %g %s, %s old", metricType, host, value, unit, age)
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

// spent is what one server took for a load, a round each.
type spent struct {
	cost []float64 // processor time a call or message, in microseconds
	rate []float64 // calls or messages a second
}

// compare runs a load against each server in turn, several times.
func (b *bench) compare(ctx context.Context, t *result.Table, c comparison) error {
	all := make([]spent, len(c.callees))
	for round := range b.rounds + 1 {
		for i, callee := range c.callees {
			cost, rate, err := callee.bear(ctx, c.load, b.each)
			if err != nil {
				return fmt.Errorf("%s: %w", callee.name, err)
			}
			if round == 0 {
				continue // warm-up
			}
			all[i].cost, all[i].rate = append(all[i].cost, cost), append(all[i].rate, rate)
		}
	}
	beside := fmt.Sprintf("%s %.2f µs (%.0f/s)", c.callees[0].name, result.Median(all[0].cost), result.Median(all[0].rate))
	for i, callee := range c.callees {
		if i == 0 {
			continue
		}
		ratio := result.Ratio(all[0].cost, all[i].cost)
		verdict, wanted := "", ""
		if aim := c.aims[callee.name]; aim > 0 {
			verdict, wanted = result.AtLeast(ratio.Median, aim), fmt.Sprintf("; aim %.1fx", aim)
		}
		t.Add(c.what+", "+callee.name, fmt.Sprintf("%.2f µs of one core (%.0f/s)", result.Median(all[i].cost), result.Median(all[i].rate)),
			beside+": "+ratio.String()+wanted, verdict)
	}
	return nil
}

// bear takes a load for a while and returns what each message cost, in
// microseconds, and how many there were a second.
func (c *callee) bear(ctx context.Context, load rpcload.Load, length time.Duration) (cost, rate float64, err error) {
	load.Addr, load.Header = c.addr(), c.header
	before := c.CPU()
	got, err := load.Run(ctx, length)
	if err == nil && got.Messages == 0 {
		err = errors.New("nothing was answered")
	}
	if err != nil {
		return 0, 0, err
	}
	n := float64(got.Messages)
	return float64((c.CPU() - before).Nanoseconds()) / 1000 / n, n / got.Took.Seconds(), nil
}
