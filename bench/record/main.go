// Command record keeps what the collector measures on this machine in a file
// for the measurement of bytes a sample.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/bench/internal/recording"
	"github.com/vitals-rpc/vitals/metric"
)

func main() {
	length := flag.Duration("for", time.Hour, "how long to record")
	out := flag.String("out", "host.recording", "`file` to write")
	hostname := flag.String("hostname", "recorded", "`name` of the host in the file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := record(ctx, *length, *out, *hostname); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// record measures each second and writes the file each minute, so that an
// interrupted recording is worth something.
func record(ctx context.Context, length time.Duration, out, hostname string) error {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var kept recording.Recording
	var failed error
	written := time.Now()
	collector := collect.New(collect.Options{Host: hostname})
	err := collector.Run(ctx, time.Second, func(samples []metric.Sample) {
		kept.Add(samples)
		if time.Since(written) < time.Minute {
			return
		}
		written = time.Now()
		if failed = kept.WriteFile(out); failed != nil {
			cancel()
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("the recording ended early: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%d samples of %d series in %s\n", kept.Samples(), len(kept.Series), out)
	return kept.WriteFile(out)
}
