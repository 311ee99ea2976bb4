package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

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

// trimmed is how long after its start the agent gives back the memory that only its
// start needed.
const trimmed = 10 * time.Second

// collector is a program that measures this host each second.
type collector struct {
	name string
	*process.Process

	// samples is how many it had in its last round.
	samples func(context.Context) (float64, error)
	// stop ends what asks it.
	stop func()

	cpu []float64 // seconds an hour, a slice of time each
}

// agent watches the agent that reports to a real server each second, and at the
// same time its peers, which measure as often.
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
	own, err := process.Start(ctx, 0, b.vitals, "agent", "--server", srv.url, "--token", srv.operator, "--hostname", agentHost, "--spool-dir", filepath.Join(dir, "spool"))
	if err != nil {
		return err
	}
	all := []*collector{{name: "vitals agent", Process: own, stop: func() {}, samples: func(ctx context.Context) (float64, error) { return samplesARound(ctx, srv) }}}
	all = append(all, b.collectors(ctx, dir)...)
	defer func() {
		for _, c := range all {
			c.stop()
			c.Stop()
		}
	}()
	if err := sleep(ctx, trimmed+b.warmUp); err != nil {
		return err
	}
	for range b.rounds {
		if err := watchCollectors(ctx, all, b.watch/time.Duration(b.rounds)); err != nil {
			return err
		}
	}
	return addCollectors(ctx, t, all, b.watch)
}

// watchCollectors lets a slice of time pass and adds what each took in it.
func watchCollectors(ctx context.Context, all []*collector, length time.Duration) error {
	start, used := time.Now(), make([]time.Duration, len(all))
	for i, c := range all {
		used[i] = c.TreeCPU()
	}
	if err := sleep(ctx, length); err != nil {
		return err
	}
	hours := time.Since(start).Hours()
	for i, c := range all {
		c.cpu = append(c.cpu, (c.TreeCPU()-used[i]).Seconds()/hours)
	}
	return nil
}

// addCollectors adds two rows for each. The first one is the agent.
func addCollectors(ctx context.Context, t *result.Table, all []*collector, length time.Duration) error {
	own := all[0]
	for i, c := range all {
		n, err := c.samples(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		resident, private := c.TreeMemory()
		beside, verdict, memoryBeside, memoryVerdict := "agent to it: "+result.Ratio(own.cpu, c.cpu).String(), "", "", ""
		if i == 0 {
			beside, verdict = fmt.Sprintf("aim %d for 250", agentCPUAim), result.AtMost(result.Median(c.cpu), agentCPUAim)
			memoryBeside, memoryVerdict = fmt.Sprintf("aim %d MiB", agentMemoryAim), result.AtMost(float64(resident)/(1<<20), agentMemoryAim)
		}
		t.Add(fmt.Sprintf("%s, CPU s an hour, %.0f samples each second, over %s", c.name, n, length), result.Spread(c.cpu, "%.1f"), beside, verdict)
		t.Add(c.name+", resident memory", fmt.Sprintf("%s, own %s", mib(resident), mib(private)), memoryBeside, memoryVerdict)
	}
	return nil
}

// agentHost is what the measured agent calls this host.
const agentHost = "bench-agent"

// samplesARound is how many series of the agent had a sample of late.
func samplesARound(ctx context.Context, srv *running) (float64, error) {
	c, err := client.New(srv.url, as(srv.viewer))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	res, err := c.Query().QueryPromQL(ctx, &monitoringv1.QueryPromQLRequest{Query: fmt.Sprintf("count(last_over_time({hostname=%q}[10s]))", agentHost)})
	if err != nil {
		return 0, err
	}
	if len(res.GetSeries()) == 0 {
		return 0, fmt.Errorf("the agent's samples have not arrived")
	}
	return res.GetSeries()[0].GetValues()[0], nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
