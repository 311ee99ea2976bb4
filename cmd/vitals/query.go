package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// defaultPoints is about how many evaluations a range has.
const defaultPoints = 250

// queryConfig is the parsed command line of query.
type queryConfig struct {
	caller
	output         string // table, json, chart, or "" for what suits
	since, step    time.Duration
	start, end, at string
}

func newQuery() *cobra.Command {
	c := queryConfig{caller: caller{output: "table"}}
	cmd := &cobra.Command{
		Use:   "query 'PROMQL'",
		Short: "Evaluate a PromQL expression, now or over a range of time",
		Long: `Evaluate a PromQL expression: at one time, or over a range if --since, --start,
--end or --step is given. On a terminal a range is drawn as a chart.

A time is RFC 3339 (2026-11-22T14:00:00Z), a date with or without a time in this
machine's time zone ('2026-11-22 14:00'), a time of today (14:00), how long ago
(-30m, -2d), Unix seconds, or now.

'vitals metrics' lists what there is to ask for.`,
		Example: `  vitals query cpu
  vitals query 'memory / memory_total * 100' --since 1h
  vitals query 'topk(3, process_cpu)' --since 15m --step 5s
  vitals query 'avg_over_time(cpu[5m])' --start -2d --end -1d -o chart
  vitals query 'sum by (hostname) (network_receive)' --since 10m -o json`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.explain(runQuery(cmd.Context(), c, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	c.connectionFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.output, "output", "o", "", "`format` of the output: table, json or chart (default: chart for a range on a terminal, else table)")
	f.Var(durationFlag(&c.since, 0), "since", "evaluate from this long before the end, such as 30m, 6h or 7d")
	f.Var(durationFlag(&c.step, 0), "step", "time between two evaluations (default: what makes about 250)")
	f.StringVar(&c.start, "start", "", "`time` of the first evaluation")
	f.StringVar(&c.end, "end", "", "`time` of the last evaluation (default: now)")
	f.StringVar(&c.at, "time", "", "`time` of a single evaluation (default: now)")
	for _, name := range []string{"since", "step"} {
		f.Lookup(name).DefValue = "" // zero is no default that one could give
	}
	mustComplete(cmd, "output", "table", "json", "chart")
	return cmd
}

// ranged reports whether the flags ask for a range.
func (c *queryConfig) ranged() bool {
	return c.since > 0 || c.step > 0 || c.start != "" || c.end != ""
}

// request is what the flags ask the server for.
func (c *queryConfig) request(expr string, now time.Time) (*monitoringv1.QueryPromQLRequest, error) {
	req := &monitoringv1.QueryPromQLRequest{Query: expr}
	if !c.ranged() {
		if c.at == "" {
			return req, nil
		}
		at, err := parseWhen("time", c.at, now)
		req.Time = timestamppb.New(at)
		return req, err
	}
	if c.at != "" {
		return nil, errors.New("--time is for a single evaluation: leave out --since, --start, --end and --step, or --time")
	}
	if c.since > 0 && c.start != "" {
		return nil, errors.New("--since and --start both say where the range begins: leave one of them out")
	}
	end, step := now, c.step
	var err error
	if c.end != "" {
		if end, err = parseWhen("end", c.end, now); err != nil {
			return nil, err
		}
	}
	var start time.Time
	if c.start != "" {
		if start, err = parseWhen("start", c.start, now); err != nil {
			return nil, err
		}
	} else {
		start, step = stepsBack(end, cmp.Or(c.since, time.Hour), step)
	}
	if !start.Before(end) {
		return nil, fmt.Errorf("the range begins at %s, which is not before its end at %s", start.Format(time.DateTime), end.Format(time.DateTime))
	}
	req.Start, req.End = timestamppb.New(start), timestamppb.New(end)
	if step > 0 {
		req.Step = durationpb.New(step)
	}
	return req, nil
}

// stepsBack is where a range begins that goes back from its end: a whole number
// of steps before it, so that the end, which is mostly now, is evaluated. Without
// a step it chooses one of whole seconds for about 250 points.
func stepsBack(end time.Time, back, step time.Duration) (start time.Time, _ time.Duration) {
	if step <= 0 {
		step = max(time.Second, (back/defaultPoints + time.Second - 1).Truncate(time.Second))
	}
	return end.Add(-max(back/step, 1) * step), step
}

// format is how the output shall look.
func (c *queryConfig) format(out io.Writer) (string, error) {
	switch c.output {
	case "table", "json":
		return c.output, nil
	case "chart":
		if !c.ranged() {
			return "", errors.New("a chart needs a range of time: add --since 1h, or --start and --end")
		}
		return c.output, nil
	case "":
		if c.ranged() && isTerminal(out) && os.Getenv("TERM") != "dumb" {
			return "chart", nil
		}
		return "table", nil
	}
	return "", fmt.Errorf("output %q is none of table, json and chart", c.output)
}

func runQuery(ctx context.Context, c queryConfig, expr string, out, talk io.Writer) error {
	format, err := c.format(out)
	if err != nil {
		return usageError{err}
	}
	req, err := c.request(expr, time.Now())
	if err != nil {
		return usageError{err}
	}
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Query().QueryPromQL(ctx, req)
	if err != nil {
		return pointAt(err, expr)
	}
	for _, w := range res.GetWarnings() {
		fmt.Fprintln(talk, "vitals: warning:", plainText(w))
	}
	if format == "json" {
		return printJSON(out, res)
	}
	if len(res.GetSeries()) == 0 && res.GetResultType() != monitoringv1.ResultType_RESULT_TYPE_STRING {
		fmt.Fprintln(talk, "vitals: no series has samples for this; 'vitals metrics' lists what there is")
		return nil
	}
	units := unitsOf(ctx, cl, res)
	if format == "chart" {
		return printChart(out, req, res, units)
	}
	return printResult(out, res, units)
}

// printChart draws a range in the size of the terminal, or in 80 columns.
func printChart(out io.Writer, req *monitoringv1.QueryPromQLRequest, res *monitoringv1.QueryPromQLResponse, units map[string]string) error {
	c := chart{
		width: 80, height: 16, location: time.Local,
		start: seconds(req.GetStart().AsTime()), end: seconds(req.GetEnd().AsTime()),
		step: req.GetStep().AsDuration().Seconds(),
	}
	if f, ok := out.(*os.File); ok && isTerminal(out) {
		c.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			c.width = max(width, 20)
			c.height = min(max(height-min(len(res.GetSeries()), chartSeries)-7, 6), 24)
		}
	}
	for _, s := range res.GetSeries() {
		c.lines = append(c.lines, chartLine{s.GetLabels(), units[s.GetLabels()[nameLabel]], s.GetTimes(), s.GetValues()})
	}
	_, err := io.WriteString(out, c.draw())
	return err
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// unitsOf are the units of the metric types in a result, as far as they are
// known. A custom one's is known to the server alone.
func unitsOf(ctx context.Context, cl *client.Client, res *monitoringv1.QueryPromQLResponse) map[string]string {
	units := map[string]string{}
	custom := false
	for _, s := range res.GetSeries() {
		name := s.GetLabels()[nameLabel]
		unit, known := builtInUnit(name)
		units[name] = unit
		custom = custom || name != "" && !known
	}
	if !custom {
		return units
	}
	// The values are worth showing without it, so an error is none of ours.
	metrics, _ := cl.Query().ListMetrics(ctx, &monitoringv1.ListMetricsRequest{})
	for _, m := range metrics.GetMetrics() {
		if _, shown := units[m.GetName()]; shown {
			units[m.GetName()] = m.GetUnit()
		}
	}
	return units
}
