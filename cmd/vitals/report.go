package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

func newReport() *cobra.Command {
	var c caller
	var host, unit, help string
	var labels []string
	var counter bool
	cmd := &cobra.Command{
		Use:   "report NAME VALUE",
		Short: "Send one value of a metric of your own",
		Long: `Send one value of a metric of your own. It can then be asked for, watched and
queried like any built-in one. The name is made of letters, digits and _.`,
		Example: `  vitals report queue_depth 7 --unit jobs --label queue=mail
  vitals report outside -4.5 --unit celsius
  vitals report backup_bytes 1.2e9 --host web-1 --unit bytes --about "size of the last backup"`,
		Args:        usage(cobra.ExactArgs(2)),
		Annotations: map[string]string{takesNumbers: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := strconv.ParseFloat(args[1], 64)
			if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
				return usageError{fmt.Errorf("value %q is no finite number", args[1])}
			}
			sample := &monitoringv1.CustomSample{MetricType: args[0], Value: value, Unit: unit, Help: help}
			if counter {
				sample.Kind = monitoringv1.MetricKind_METRIC_KIND_COUNTER
			}
			if sample.Labels, err = parsePairs("label", labels); err != nil {
				return usageError{err}
			}
			if err := checkSeries(args[0], host, sample.Labels); err != nil {
				return usageError{err}
			}
			req := &monitoringv1.ReportBatchRequest{Hostname: host, Samples: []*monitoringv1.CustomSample{sample}}
			return c.explain(runReport(cmd.Context(), c, req, cmd.OutOrStdout()))
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&host, "host", "", "`name` of the host that it describes (default: the server's own)")
	f.StringVar(&unit, "unit", "", "what the value counts, such as jobs or bytes")
	f.StringVar(&help, "about", "", "a `sentence` on what is measured")
	f.StringArrayVar(&labels, "label", nil, "`key=value` that tells it apart from others of its name; may be repeated")
	f.BoolVar(&counter, "counter", false, "the value only grows, but for resets to zero")
	return cmd
}

// checkSeries returns an error unless the server may take in a series of that name.
func checkSeries(metricType, host string, labels map[string]string) error {
	var pairs []string
	for name, value := range labels {
		pairs = append(pairs, name, value)
	}
	return metric.NewSeries(metricType, cmp.Or(host, "localhost"), metric.NewLabels(pairs...)).Check()
}

// parsePairs reads key=value texts; each key may come once.
func parsePairs(what string, pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%s %q is not of the form key=value", what, pair)
		}
		if before, twice := out[key]; twice {
			return nil, fmt.Errorf("%s %q is given twice, as %q and as %q; leave one of them out", what, key, before, value)
		}
		out[key] = value
	}
	return out, nil
}

func runReport(ctx context.Context, c caller, req *monitoringv1.ReportBatchRequest, out io.Writer) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Ingest().ReportBatch(ctx, req)
	if err != nil {
		return err
	}
	if c.output == "json" {
		if err := printJSON(out, res); err != nil {
			return err
		}
	}
	for _, r := range res.GetReceipt().GetRejections() {
		return fmt.Errorf("refused: %s", r.GetReason())
	}
	return nil
}
