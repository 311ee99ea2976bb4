// Command record keeps what the collector measures on this machine in a file
// for the measurement of bytes a sample.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
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
	goOn := flag.Bool("append", false, "go on with the recording that the file has, rather than replace it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := record(ctx, *length, *out, *hostname, *goOn); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// record measures each second and writes the file each minute, so that an
// interrupted recording is worth something.
func record(ctx context.Context, length time.Duration, out, hostname string, goOn bool) error {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var before recording.Recording
	if goOn {
		r, err := recording.ReadFile(out)
		if err != nil {
			return err
		}
		before = *r
	}
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
		if failed = joined(before, kept).WriteFile(out); failed != nil {
			cancel()
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("the recording ended early: %w", err)
	}
	all := joined(before, kept)
	fmt.Fprintf(os.Stderr, "%d samples of %d series in %s\n", all.Samples(), len(all.Series), out)
	return all.WriteFile(out)
}

// joined is one recording and then another, neither of which is changed.
func joined(before, later recording.Recording) *recording.Recording {
	all := &recording.Recording{}
	for _, part := range []recording.Recording{before, later} {
		all.Join(part.Cut(math.MinInt64, math.MaxInt64))
	}
	return all
}
