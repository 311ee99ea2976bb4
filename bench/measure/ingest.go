package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
)

const (
	ingestSeries = 250
	// peerBatch is how many samples a remote write has, as vmagent sends them; a
	// Prometheus sends fewer, which costs the receiver more.
	peerBatch   = 10_000
	peerWorkers = 8
	// ingestAim is in server CPU seconds a million samples.
	ingestAim = 0.4
	// settle is how long a server may go on working on what it has
	// acknowledged, so that it is counted.
	settle = 2 * time.Second
)

// ingestRatioAims are how many samples Vitals is to take in for each that a peer
// does, of the same processor time.
var ingestRatioAims = map[string]float64{victoriaName: 1, prometheusName: 3}

// shape is how samples come in.
type shape struct {
	name  string
	hosts int
	// age is how old the first sample is, and step the time between two rounds.
	age, step time.Duration
	// perMessage is how many rounds a message has, perStream how many messages
	// a stream.
	perMessage, perStream int
	// messages is how many messages each host sends at the least.
	messages int
}

// The two shapes in which agents send: a round in a message and a stream of ten
// seconds; and, after an outage of ten minutes, many rounds in a message. The rounds
// of the first are a tenth of a second apart, so that enough of them are recent.
var (
	liveShape    = shape{"live", 100, 20 * time.Second, 100 * time.Millisecond, 1, 10, 1}
	backlogShape = shape{"backlog", 40, time.Hour, time.Second, 120, 24, 5}
)

// outcome is one run of one server.
type outcome struct {
	perSecond, cpuPerMillion, busy float64
}

// target is something that samples can be sent into.
type target struct {
	name string
	// start starts it on so many cores with a folder; the sender has the
	// samples in its own encoding.
	start func(ctx context.Context, cores int, dir string) (*running, error)
	load  func(hosts []*simulate.Host, s shape, from time.Time, rounds int) (load, error)
	// counter is the one of its own metrics that counts samples which it has
	// taken in. Vitals says so in each acknowledgement, and needs none.
	counter string
}

// load is samples that wait to be sent.
type load struct {
	samples uint64
	send    func(ctx context.Context, to *running) error
}

// ingest measures how fast live samples are taken in, and what that costs.
func (b *bench) ingest(ctx context.Context, t *result.Table) error {
	return b.takeIn(ctx, t, liveShape)
}

// backlog measures the same of what comes after an outage.
func (b *bench) backlog(ctx context.Context, t *result.Table) error {
	return b.takeIn(ctx, t, backlogShape)
}

// takeIn sends samples in a shape to Vitals and to its peers in turn.
func (b *bench) takeIn(ctx context.Context, t *result.Table, s shape) error {
	targets := []target{{name: "Vitals", start: b.serve, load: vitalsLoad}}
	if !b.alone {
		targets = append(targets, b.receivers(ctx)...)
	}
	cores := []int{1}
	if b.full && runtime.NumCPU() > 1 {
		cores = append(cores, 2)
	}
	for _, n := range cores {
		results, err := b.ingestRounds(ctx, targets, s, n)
		if err != nil {
			return err
		}
		addIngest(t, targets, results, fmt.Sprintf("%s, %d core(s)", s.name, n))
	}
	return nil
}

// ingestRounds sends the same to each target in turn, several times, and returns
// what came of it, by target.
func (b *bench) ingestRounds(ctx context.Context, targets []target, s shape, cores int) ([][]outcome, error) {
	results := make([][]outcome, len(targets))
	for range b.rounds {
		for i, which := range targets {
			o, err := b.ingestOnce(ctx, which, s, cores)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, on %d cores: %w", which.name, s.name, cores, err)
			}
			results[i] = append(results[i], o)
			b.logf("    %s, %s, on %d cores: %.0f samples/s, %.3f CPU s a million, %.2f cores busy", which.name, s.name, cores, o.perSecond, o.cpuPerMillion, o.busy)
		}
	}
	return results, nil
}

// addIngest adds the rows of one shape. The first target is Vitals.
func addIngest(t *result.Table, targets []target, results [][]outcome, where string) {
	speed, cost := columns(results[0])
	t.Add("samples/s taken in, "+where, result.Spread(speed, "%.0f"), besideSpeed(targets[1:], results[1:]), "")
	t.Add("server CPU s a million samples, "+where, result.Spread(cost, "%.2f"), fmt.Sprintf("aim %.1f", ingestAim), result.AtMost(result.Median(cost), ingestAim))
	for i, p := range targets[1:] {
		_, theirs := columns(results[i+1])
		ratio := result.Ratio(theirs, cost)
		aim := ingestRatioAims[p.name]
		t.Add("samples a CPU second, to those of "+p.name+", "+where, ratio.String(), fmt.Sprintf("%s CPU s a million; aim %.1fx", result.Spread(theirs, "%.2f"), aim), result.AtLeast(ratio.Median, aim))
	}
}

func besideSpeed(peers []target, results [][]outcome) (beside string) {
	for i, p := range peers {
		speed, _ := columns(results[i])
		beside += fmt.Sprintf("%s %.0f; ", p.name, result.Median(speed))
	}
	return beside
}

// haveAll checks that a server has counted all samples that it was sent.
func (t target) haveAll(ctx context.Context, r *running, samples uint64) error {
	if t.counter == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/metrics", nil)
	if err != nil {
		return err
	}
	text, _, err := timed(req)
	if err != nil {
		return err
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, t.counter) {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		if err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		sum += n
	}
	if sum != float64(samples) {
		return fmt.Errorf("%.0f of %d samples were taken in", sum, samples)
	}
	return nil
}

func columns(runs []outcome) (perSecond, cpuPerMillion []float64) {
	for _, r := range runs {
		perSecond, cpuPerMillion = append(perSecond, r.perSecond), append(cpuPerMillion, r.cpuPerMillion)
	}
	return perSecond, cpuPerMillion
}

// ingestOnce starts a server, lets it meet the series, and sends.
func (b *bench) ingestOnce(ctx context.Context, which target, s shape, cores int) (o outcome, err error) {
	dir, remove, err := b.folder()
	if err != nil {
		return o, err
	}
	defer remove()
	p, err := which.start(ctx, cores, dir)
	if err != nil {
		return o, err
	}
	defer p.Stop()
	defer process.KeepOff(cores, runtime.NumCPU())()

	hosts := simulate.Fleet(1, s.hosts, ingestSeries)
	rounds := int(b.samples) / (s.hosts * ingestSeries) / s.perMessage * s.perMessage
	rounds = max(rounds, s.perMessage*s.messages)
	from := time.Now().Add(-s.age).Truncate(time.Second)
	const warm = 5 // rounds, in which each series is seen
	first, err := which.load(hosts, s, from, warm)
	if err != nil {
		return o, err
	}
	second, err := which.load(hosts, s, from.Add(warm*s.step), rounds)
	if err != nil {
		return o, err
	}
	if err := first.send(ctx, p); err != nil {
		return o, err
	}
	runtime.GC() // what was made up is not collected during the measuring
	time.Sleep(settle / 2)
	used, start := p.CPU(), time.Now()
	if err := second.send(ctx, p); err != nil {
		return o, err
	}
	took, during := time.Since(start), p.CPU()-used
	time.Sleep(settle)
	cpu := p.CPU() - used
	if err := which.haveAll(ctx, p, first.samples+second.samples); err != nil {
		return o, err
	}
	n := float64(second.samples)
	return outcome{n / took.Seconds(), cpu.Seconds() / n * 1e6, during.Seconds() / took.Seconds()}, nil
}
