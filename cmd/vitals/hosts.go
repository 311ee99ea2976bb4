package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

func newHosts() *cobra.Command {
	var c caller
	cmd := &cobra.Command{
		Use:   "hosts [PREFIX]",
		Short: "List the hosts that report, or those whose names begin with PREFIX",
		Long: `List the hosts that report. A host is up, stale (its samples are late) or down
(it has been silent for long); -o json says after how long.`,
		Example: `  vitals hosts
  vitals hosts web- -o json | jq -r '.hosts[] | select(.status != "HOST_STATUS_UP") | .hostname'`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &monitoringv1.ListHostsRequest{HostnamePrefix: strings.Join(args, "")}
			return c.explain(runHosts(cmd.Context(), c, req, cmd.OutOrStdout()))
		},
	}
	c.flags(cmd)
	return cmd
}

func runHosts(ctx context.Context, c caller, req *monitoringv1.ListHostsRequest, out io.Writer) error {
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Query().ListHosts(ctx, req)
	if err != nil {
		return err
	}
	if c.output == "json" {
		return printJSON(out, res)
	}
	rows := [][]string{{"HOST", "STATUS", "LAST SEEN", "SINCE", "SYSTEM", "AGENT", "TAGS"}}
	for _, h := range res.GetHosts() {
		rows = append(rows, []string{
			h.GetHostname(), hostStatus(h), ago(h.GetLastSeen()), h.GetFirstSeen().AsTime().Local().Format(time.DateTime),
			strings.TrimSpace(h.GetOs() + " " + h.GetPlatform() + " " + h.GetArchitecture()), h.GetAgentVersion(), tagText(h.GetTags()),
		})
	}
	return printTable(out, rows...)
}

func hostStatus(h *monitoringv1.Host) string {
	status := strings.ToLower(strings.TrimPrefix(h.GetStatus().String(), "HOST_STATUS_"))
	if h.GetNameConflict() {
		status += " (two agents have this name)"
	}
	return status
}

// ago says how long a time is past, as a person would. An unset one, which older
// servers send as the year 1, never was.
func ago(t *timestamppb.Timestamp) string {
	d := time.Since(t.AsTime())
	switch {
	case t.GetSeconds() <= 0:
		return "never"
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d/day))
}

func tagText(tags map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, key+"="+tags[key])
	}
	return strings.Join(out, ",")
}
