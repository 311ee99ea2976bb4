package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

func newMetrics() *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "metrics [HOST]",
		Short: "List the metric types that there are, or those of one host",
		Long: `List the metric types that have samples of the last day, with unit, kind and
help: the built-in ones, then those that were pushed.`,
		Example: `  vitals metrics
  vitals metrics web-1 -o json | jq -r '.metrics[] | select(.builtIn | not) | .name'`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &monitoringv1.ListMetricsRequest{Hostname: strings.Join(args, "")}
			return c.explain(runMetrics(cmd.Context(), c, req, cmd.OutOrStdout()))
		},
	}
	c.flags(cmd)
	return cmd
}

func runMetrics(ctx context.Context, c caller, req *monitoringv1.ListMetricsRequest, out io.Writer) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Query().ListMetrics(ctx, req)
	if err != nil {
		return err
	}
	if c.output == "json" {
		return printJSON(out, res)
	}
	rows := [][]string{{"METRIC", "UNIT", "KIND", "LABELS", "HELP"}}
	for _, m := range res.GetMetrics() {
		kind := "gauge"
		if m.GetKind() == monitoringv1.MetricKind_METRIC_KIND_COUNTER {
			kind = "counter"
		}
		rows = append(rows, []string{m.GetName(), plainText(m.GetUnit()), kind, strings.Join(m.GetLabels(), ","), plainText(m.GetHelp())})
	}
	return printTable(out, rows...)
}
