package main

import (
	"context"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server/health"
)

func newHealth() *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "health [COMPONENT]",
		Short: "Tell whether the server, or a component of it, does its work",
		Long: `Tell whether the server, or one component of it (api, collector,
store, live), does its work. Exits with 0 when it does and with 1 when it does
not.`,
		Example: `  vitals health
  vitals health collector`,
		Args:              usage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions([]string{health.API, health.Collector, health.Store, health.Live}, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &monitoring.HealthRequest{}
			if len(args) > 0 {
				req.Service = args[0]
			}
			return c.explain(runHealth(cmd.Context(), c, req, cmd.OutOrStdout()))
		},
	}
	c.flags(cmd)
	return cmd
}

func runHealth(ctx context.Context, c caller, req *monitoring.HealthRequest, out io.Writer) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Monitoring().CheckHealth(ctx, req)
	if err != nil {
		return err
	}
	if c.output == "json" {
		err = printJSON(out, res)
	} else {
		err = printTable(out, []string{"HEALTHY", "MESSAGE"}, []string{strconv.FormatBool(res.GetHealthy()), res.GetMessage()})
	}
	if err == nil && !res.GetHealthy() {
		return silentError{}
	}
	return err
}
