package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// What an agent may cost, for 250 metrics.
const (
	agentCPUAim    = 10 // CPU seconds an hour
	agentMemoryAim = 20 // MiB
)

// exporterCollectors are the collectors of node_exporter that measure what the
// agent does, as far as it has them. None reads every process, which the agent
// does every five seconds.
var exporterCollectors = []string{"cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "pressure", "stat"}

// agent measures the agent that reports to a real server each second, and at the
// same time node_exporter that is asked each second.
func (b *bench) agent(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	srv, err := b.serve(ctx, 0, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer srv.Stop()
	agent, err := process.Start(ctx, 0, b.vitals, "agent", "--server", srv.url, "--token", srv.operator, "--hostname", "bench-agent", "--spool-dir", filepath.Join(dir, "spool"))
	if err != nil {
		return err
	}
	defer agent.Stop()
	exporter, err := b.exporter(ctx)
	if err != nil {
		b.logf("    %v", err)
	} else {
		defer exporter.process.Stop()
		asking, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- exporter.scrape(asking, b.warmUp+b.watch) }()
		defer func() { stop(); <-done }()
	}

	if err := sleep(ctx, b.warmUp); err != nil {
		return err
	}
	start, agentUsed := time.Now(), agent.CPU()
	var exporterUsed time.Duration
	if exporter != nil {
		exporterUsed = exporter.process.CPU()
	}
	if err := sleep(ctx, b.watch); err != nil {
		return err
	}
	perHour := func(used time.Duration) float64 { return used.Seconds() / time.Since(start).Seconds() * 3600 }
	cpu := perHour(agent.CPU() - agentUsed)
	resident, own := agent.Memory()
	beside, besideMemory := "no node_exporter here; ", ""
	if exporter != nil {
		r, o := exporter.process.Memory()
		beside = fmt.Sprintf("node_exporter %.1f for %d samples; ", perHour(exporter.process.CPU()-exporterUsed), exporter.samples)
		besideMemory = fmt.Sprintf("node_exporter %s, own %s; ", mib(r), mib(o))
	}
	n, err := samplesARound(ctx, srv)
	if err != nil {
		return err
	}
	t.Add(fmt.Sprintf("agent, CPU s an hour, %.0f series, each second, over %s", n, b.watch), fmt.Sprintf("%.1f", cpu),
		fmt.Sprintf("%saim %d for 250", beside, agentCPUAim), result.AtMost(cpu, agentCPUAim))
	t.Add("agent, resident memory", fmt.Sprintf("%s, own %s", mib(resident), mib(own)), fmt.Sprintf("%saim %d MiB", besideMemory, agentMemoryAim),
		result.AtMost(float64(resident)/(1<<20), agentMemoryAim))
	return nil
}

// samplesARound is how many series of the agent had a sample of late.
func samplesARound(ctx context.Context, srv *running) (float64, error) {
	c, err := client.New(srv.url, as(srv.viewer))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	res, err := c.Query().QueryPromQL(ctx, &monitoringv1.QueryPromQLRequest{Query: `count(last_over_time({hostname="bench-agent"}[10s]))`})
	if err != nil {
		return 0, err
	}
	if len(res.GetSeries()) == 0 {
		return 0, fmt.Errorf("the agent's samples have not arrived")
	}
	return res.GetSeries()[0].GetValues()[0], nil
}

// exporter is a running node_exporter.
type exporter struct {
	process *process.Process
	url     string
	samples int // in the newest answer
}

func (b *bench) exporter(ctx context.Context) (*exporter, error) {
	path, version, err := peer.NodeExporter(ctx, b.cache)
	if err != nil {
		return nil, err
	}
	b.note("node_exporter", version)
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"--web.listen-address=" + addr, "--collector.disable-defaults", "--web.disable-exporter-metrics", "--log.level=error"}
	for _, c := range exporterCollectors {
		args = append(args, "--collector."+c)
	}
	p, err := process.Start(ctx, 0, path, args...)
	if err != nil {
		return nil, err
	}
	e := &exporter{process: p, url: "http://" + addr + "/metrics"}
	if err := p.Ready(ctx, e.url); err != nil {
		p.Stop()
		return nil, err
	}
	return e, nil
}

// scrape asks each second, as a Prometheus does, until the time is over.
func (e *exporter) scrape(ctx context.Context, length time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		n, err := e.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if e.samples == 0 {
			e.samples = n // it hardly changes, and the measuring reads it
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// ask gets one answer, which the transport asks for in gzip, and counts its
// samples.
func (e *exporter) ask(ctx context.Context) (samples int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "#") {
			samples++
		}
	}
	return samples, lines.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
