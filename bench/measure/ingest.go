package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/client"
)

const (
	ingestHosts  = 100
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

// shape is how samples come in.
type shape struct {
	name string
	// age is how old the first sample is, and step the time between two rounds.
	age, step time.Duration
	// perMessage is how many rounds a message has, perStream how many messages
	// a stream.
	perMessage, perStream int
}

// The two shapes in which agents send: a round in a message and a stream of ten
// seconds; and, after an outage, many rounds in a message. The rounds of the
// first are a tenth of a second apart, so that enough of them are recent.
var (
	liveShape    = shape{"live", 20 * time.Second, 100 * time.Millisecond, 1, 10}
	backlogShape = shape{"backlog", time.Hour, time.Second, 120, 24}
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
	start func(ctx context.Context, cores int, dir string) (*process.Process, string, error)
	load  func(hosts []*simulate.Host, s shape, from time.Time, rounds int) (load, error)
}

// load is samples that wait to be sent.
type load struct {
	samples uint64
	send    func(ctx context.Context, url string) error
}

// ingest measures how fast samples are taken in, and what that costs.
func (b *bench) ingest(ctx context.Context, t *result.Table) error {
	vitals := target{"Vitals", b.serve, vitalsLoad}
	peers, missing := b.peers(ctx)
	type key struct {
		target, shape string
		cores         int
	}
	results := map[key][]outcome{}
	run := func(which target, s shape, cores int) error {
		o, err := b.ingestOnce(ctx, which, s, cores)
		if err != nil {
			return fmt.Errorf("%s, %s, on %d cores: %w", which.name, s.name, cores, err)
		}
		k := key{which.name, s.name, cores}
		results[k] = append(results[k], o)
		b.logf("    %s, %s, on %d cores: %.0f samples/s, %.3f CPU s a million, %.2f cores busy", which.name, s.name, cores, o.perSecond, o.cpuPerMillion, o.busy)
		return nil
	}
	cores, shapes := []int{1, 2}[:min(2, runtime.NumCPU())], []shape{liveShape, backlogShape}
	if b.shape != "" {
		cores, peers = cores[:1], nil
		shapes = slices.DeleteFunc(shapes, func(s shape) bool { return s.name != b.shape })
	}
	for range b.rounds {
		for _, n := range cores {
			for _, s := range shapes {
				if err := run(vitals, s, n); err != nil {
					return err
				}
			}
			for _, p := range peers {
				if n > 1 && !b.full {
					continue
				}
				if err := run(p, liveShape, n); err != nil {
					return err
				}
			}
		}
	}
	for _, n := range cores {
		for _, s := range shapes {
			got := medianOf(results[key{"Vitals", s.name, n}])
			beside, besideCPU := "", ""
			for _, p := range peers {
				runs := results[key{p.name, liveShape.name, n}]
				if len(runs) == 0 {
					continue
				}
				o := medianOf(runs)
				beside += fmt.Sprintf("%s %.0f; ", p.name, o.perSecond)
				besideCPU += fmt.Sprintf("%s %.2f; ", p.name, o.cpuPerMillion)
			}
			where := fmt.Sprintf("%s, %d core(s)", s.name, n)
			t.Add("samples/s through Report, "+where, fmt.Sprintf("%.0f", got.perSecond), beside+missing, "")
			t.Add("server CPU s a million samples, "+where, fmt.Sprintf("%.2f", got.cpuPerMillion), fmt.Sprintf("%saim %.1f", besideCPU, ingestAim), result.AtMost(got.cpuPerMillion, ingestAim))
		}
	}
	return nil
}

func medianOf(runs []outcome) outcome {
	pick := func(f func(outcome) float64) float64 {
		var all []float64
		for _, r := range runs {
			all = append(all, f(r))
		}
		return result.Median(all)
	}
	return outcome{
		pick(func(o outcome) float64 { return o.perSecond }),
		pick(func(o outcome) float64 { return o.cpuPerMillion }),
		pick(func(o outcome) float64 { return o.busy }),
	}
}

// ingestOnce starts a server, lets it meet the series, and sends.
func (b *bench) ingestOnce(ctx context.Context, which target, s shape, cores int) (o outcome, err error) {
	dir, remove, err := b.folder()
	if err != nil {
		return o, err
	}
	defer remove()
	p, url, err := which.start(ctx, cores, dir)
	if err != nil {
		return o, err
	}
	defer p.Stop()
	defer process.KeepOff(cores, runtime.NumCPU())()

	hosts := simulate.Fleet(1, ingestHosts, ingestSeries)
	rounds := int(b.samples/(ingestHosts*ingestSeries)) / s.perMessage * s.perMessage
	rounds = max(rounds, s.perMessage)
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
	if err := first.send(ctx, url); err != nil {
		return o, err
	}
	runtime.GC() // what was made up is not collected during the measuring
	time.Sleep(settle / 2)
	used, start := p.CPU(), time.Now()
	if err := second.send(ctx, url); err != nil {
		return o, err
	}
	took, during := time.Since(start), p.CPU()-used
	time.Sleep(settle)
	cpu := p.CPU() - used
	n := float64(second.samples)
	return outcome{n / took.Seconds(), cpu.Seconds() / n * 1e6, during.Seconds() / took.Seconds()}, nil
}

// vitalsLoad is what agents send: each host over a connection of its own, in
// gzip.
func vitalsLoad(hosts []*simulate.Host, s shape, from time.Time, rounds int) (l load, err error) {
	var all []*simulate.Prepared
	for _, h := range hosts {
		p, err := h.Prepare(from.UnixMilli(), s.step, rounds, s.perMessage)
		if err != nil {
			return l, err
		}
		all = append(all, p)
		l.samples += p.Samples
	}
	l.send = func(ctx context.Context, url string) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, p := range all {
			group.Go(func() error {
				c, err := client.New(url, client.WithGzip())
				if err != nil {
					return err
				}
				defer c.Close()
				return p.Send(ctx, c.Ingest(), s.perStream)
			})
		}
		return group.Wait()
	}
	return l, nil
}

// peerLoad is the same samples as remote writes. The hosts are shared out among
// workers, so that each series' samples arrive in order.
func peerLoad(path string) func([]*simulate.Host, shape, time.Time, int) (load, error) {
	return func(hosts []*simulate.Host, s shape, from time.Time, rounds int) (l load, err error) {
		var bodies [peerWorkers][][]byte
		for w := range peerWorkers {
			var mine []*simulate.Host
			for i := w; i < len(hosts); i += peerWorkers {
				mine = append(mine, hosts[i])
			}
			var n uint64
			if bodies[w], n, err = remoteWrites(mine, s, from, rounds); err != nil {
				return l, err
			}
			l.samples += n
		}
		l.send = func(ctx context.Context, url string) error {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: peerWorkers}}
			defer c.CloseIdleConnections()
			group, ctx := errgroup.WithContext(ctx)
			for _, mine := range bodies {
				group.Go(func() error {
					for _, body := range mine {
						if err := peer.Write(ctx, c, url+path, body); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		}
		return l, nil
	}
}

// remoteWrites encodes the hosts' rounds as remote writes, as a Prometheus or a
// vmagent does: one sample a series.
func remoteWrites(hosts []*simulate.Host, s shape, from time.Time, rounds int) (bodies [][]byte, n uint64, err error) {
	labels := map[*simulate.Host][][]prompb.Label{}
	for _, h := range hosts {
		for _, series := range h.Series {
			labels[h] = append(labels[h], peer.Labels(series))
		}
	}
	var batch []prompb.TimeSeries
	flush := func() error {
		body, err := peer.Encode(batch)
		n += uint64(len(batch))
		bodies, batch = append(bodies, body), batch[:0]
		return err
	}
	for r := range rounds {
		at := from.Add(time.Duration(r) * s.step).UnixMilli()
		for _, h := range hosts {
			ids, values := h.Next(at, nil, nil)
			for i, id := range ids {
				batch = append(batch, prompb.TimeSeries{Labels: labels[h][id], Samples: []prompb.Sample{{Timestamp: at, Value: values[i]}}})
				if len(batch) == peerBatch {
					if err := flush(); err != nil {
						return nil, 0, err
					}
				}
			}
		}
	}
	if len(batch) > 0 {
		err = flush()
	}
	return bodies, n, err
}

// peers are the servers beside which Vitals is measured, as far as they can be
// had here; missing says which cannot.
func (b *bench) peers(ctx context.Context) (found []target, missing string) {
	if path, err := peer.Debian(ctx, b.cache, "victoria-metrics", "usr/bin/victoria-metrics"); err == nil {
		found = append(found, target{"VictoriaMetrics", func(ctx context.Context, cores int, dir string) (*process.Process, string, error) {
			return startPeer(ctx, cores, path, "/health", func(addr string) []string {
				return []string{"-storageDataPath=" + dir, "-httpListenAddr=" + addr, "-retentionPeriod=1y", "-loggerLevel=ERROR"}
			})
		}, peerLoad("/api/v1/write")})
	} else {
		b.logf("    %v", err)
		missing += "no VictoriaMetrics here; "
	}
	if path, err := peer.Debian(ctx, b.cache, "prometheus", "usr/bin/prometheus"); err == nil {
		found = append(found, target{"Prometheus", func(ctx context.Context, cores int, dir string) (*process.Process, string, error) {
			config := filepath.Join(dir, "prometheus.yml")
			if err := os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600); err != nil {
				return nil, "", err
			}
			return startPeer(ctx, cores, path, "/-/ready", func(addr string) []string {
				return []string{"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr,
					"--web.enable-remote-write-receiver", "--log.level=error"}
			})
		}, peerLoad("/api/v1/write")})
	} else {
		b.logf("    %v", err)
		missing += "no Prometheus here; "
	}
	return found, missing
}

func startPeer(ctx context.Context, cores int, path, ready string, args func(addr string) []string) (*process.Process, string, error) {
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	p, err := process.Start(ctx, cores, path, args(addr)...)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + addr
	if err := p.Ready(ctx, url+ready); err != nil {
		p.Stop()
		return nil, "", err
	}
	return p, url, nil
}
