package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
)

// reconnectDelay is the wait before a broken stream is opened again.
const reconnectDelay = time.Second

func newWatch() *cobra.Command {
	var c caller
	var host string
	var count int
	cmd := &cobra.Command{
		Use:   "watch [METRIC]",
		Short: "Follow a metric (default cpu) until Ctrl-C",
		Long: `Follow a metric: on a terminal as a line that draws itself, in a pipe as a line
a sample. When the server goes away, it waits until it is back.`,
		Example: `  vitals watch
  vitals watch memory --host web-1
  vitals watch cpu --count 60 -o json > minute.jsonl`,
		Args:              usage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeMetric,
		RunE: func(cmd *cobra.Command, args []string) error {
			w := watcher{count: count, out: newSampleWriter(cmd.OutOrStdout(), c.output), talk: cmd.ErrOrStderr()}
			return c.explain(w.run(cmd.Context(), c, metricRequest(host, args)))
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&host, "host", "", "`name` of the host that was measured (default: the server's own)")
	cmd.Flags().IntVar(&count, "count", 0, "stop after `N` samples (default: never)")
	return cmd
}

// watcher follows one metric over stream after stream.
type watcher struct {
	count int // samples wanted; 0: no end
	out   sampleWriter
	talk  io.Writer

	seen int
	last int64 // timestamp of the newest sample written
}

func (w *watcher) run(ctx context.Context, c caller, req *monitoring.MetricRequest) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	defer w.out.close()
	for {
		err := w.stream(ctx, cl, req)
		switch {
		case ctx.Err() != nil, err == nil && w.full():
			return nil
		case err == nil:
			continue
		case w.seen == 0 || !isUnavailable(err):
			return err
		}
		w.out.interrupt()
		fmt.Fprintf(w.talk, "vitals: %v; trying again\n", err)
		select {
		case <-time.After(reconnectDelay):
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watcher) full() bool { return w.count > 0 && w.seen >= w.count }

// stream reads one stream to its end. Its first sample is often the last one of
// the stream before, which is then left out.
func (w *watcher) stream(ctx context.Context, cl *client.Client, req *monitoring.MetricRequest) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := cl.Monitoring().StreamMetrics(ctx, req)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // the stream's own error has been seen
	for !w.full() {
		res, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if res.GetTimestamp() <= w.last {
			continue
		}
		w.last = res.GetTimestamp()
		w.seen++
		if err := w.out.write(res); err != nil {
			return err
		}
	}
	return nil
}
