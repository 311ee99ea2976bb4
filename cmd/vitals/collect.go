package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/metric"
)

func newCollect() *cobra.Command {
	var host, output string
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Print one round of this machine's samples: what an agent would send",
		Example: `  vitals collect
  vitals collect -o json | jq -r 'select(.metricType == "disk_space_used") | .labels.mount'`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("output %q is neither table nor json", output)}
			}
			samples, err := oneRound(cmd.Context(), host, interval, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return printSamples(cmd.OutOrStdout(), output, samples)
		},
	}
	f := cmd.Flags()
	f.StringVar(&host, "hostname", "", "`name` of this host (default: the operating system's)")
	f.StringVarP(&output, "output", "o", "table", "`format` of the output: table or json")
	f.DurationVar(&interval, "interval", time.Second, "time over which rates are taken")
	mustComplete(cmd, "output", "table", "json")
	return cmd
}

// oneRound measures over the interval. What cannot be measured here is said on
// stderr.
func oneRound(ctx context.Context, host string, interval time.Duration, stderr io.Writer) ([]metric.Sample, error) {
	if host == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("this machine's host name cannot be read (%w); name it yourself with --hostname", err)
		}
		host = name
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	c := collect.New(collect.Options{Host: host, Logger: log})
	c.Prime(ctx)
	select {
	case <-time.After(interval):
		return c.Collect(ctx), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// sampleJSON is a sample as `collect -o json` prints it, one a line.
type sampleJSON struct {
	Hostname   string            `json:"hostname"`
	MetricType string            `json:"metricType"`
	Labels     map[string]string `json:"labels,omitempty"`
	Value      float64           `json:"value"`
	Unit       metric.Unit       `json:"unit"`
	Time       time.Time         `json:"time"`
}

func printSamples(w io.Writer, output string, samples []metric.Sample) error {
	rows := [][]string{{"SERIES", "VALUE", "UNIT"}}
	lines := json.NewEncoder(w)
	for _, s := range samples {
		t, _ := metric.Lookup(s.Series.Type)
		if output == "table" {
			rows = append(rows, []string{seriesText(s.Series), formatValue(s.Value), string(t.Unit)})
			continue
		}
		line := sampleJSON{s.Series.Host, s.Series.Type, map[string]string{}, s.Value, t.Unit, time.UnixMilli(s.Time)}
		for _, l := range s.Series.Labels {
			line.Labels[l.Name] = l.Value
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	if output == "json" {
		return nil
	}
	return printTable(w, rows...)
}

// seriesText is a series without its host, which is the same for all.
func seriesText(s *metric.Series) string {
	var labels []string
	for _, l := range s.Labels {
		labels = append(labels, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	if len(labels) == 0 {
		return s.Type
	}
	return s.Type + "{" + strings.Join(labels, ", ") + "}"
}
