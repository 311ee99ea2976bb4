package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/metric"
)

func isUnavailable(err error) bool { return connect.CodeOf(err) == connect.CodeUnavailable }

func newGet() *cobra.Command {
	var c caller
	var host string
	cmd := &cobra.Command{
		Use:   "get [METRIC]",
		Short: "Print the newest sample of a metric (default cpu)",
		Example: `  vitals get
  vitals get memory --host web-1
  vitals get disk -o json | jq .value`,
		Args:              usage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeMetric,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.explain(runGet(cmd.Context(), c, metricRequest(host, args), cmd.OutOrStdout()))
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&host, "host", "", "`name` of the host that was measured (default: the server's own)")
	return cmd
}

func metricRequest(host string, args []string) *monitoring.MetricRequest {
	req := &monitoring.MetricRequest{Hostname: host}
	if len(args) > 0 {
		req.MetricType = args[0]
	}
	return req
}

// completeMetric offers the built-in metric types to the shell.
func completeMetric(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		for _, t := range metric.Types() {
			names = append(names, t.Name+"\t"+t.Help)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func runGet(ctx context.Context, c caller, req *monitoring.MetricRequest, out io.Writer) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Monitoring().GetMetric(ctx, req)
	if err != nil {
		return err
	}
	if c.output == "json" {
		return printJSON(out, res)
	}
	return printTable(out, []string{"HOST", "METRIC", "VALUE", "UNIT", "TIME"}, []string{
		res.GetHostname(), res.GetMetricType(), formatValue(res.GetValue()), res.GetUnit(), formatTime(res.GetTimestamp()),
	})
}

// formatValue writes a value with two decimals, which is what a person reads;
// JSON has all of them.
func formatValue(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// formatTime writes Unix seconds as local time.
func formatTime(seconds int64) string { return time.Unix(seconds, 0).Format(time.DateTime) }

// formatLine is one sample on one line, for pipes.
func formatLine(res *monitoring.MetricResponse) string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", formatTime(res.GetTimestamp()), res.GetHostname(), res.GetMetricType(), formatValue(res.GetValue()), res.GetUnit())
}
