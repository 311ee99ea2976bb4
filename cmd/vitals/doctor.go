package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/doctor"
)

// doctorConfig holds the flags of doctor.
type doctorConfig struct {
	server, output string
	timeout, hold  time.Duration
	trust          trustConfig
	credentials    tokenConfig
}

func newDoctor() *cobra.Command {
	var c doctorConfig
	cmd := &cobra.Command{
		Use:   "doctor [URL]",
		Short: "Find out what gets through to a server, and why the rest does not",
		Long: `Try every protocol over every transport, in each kind of RPC, from where this
command runs, with answers that are known beforehand. What fails is explained:
mostly a proxy on the way can be told otherwise. Looks also at the certificate,
the clocks, compression, the size of messages, and whether streams arrive as
they are sent and live through silence.

Exits with 0 when all that should work does, with 1 when something does not.`,
		Example: `  vitals doctor
  vitals doctor https://vitals.example.com --hold 2m
  vitals doctor https://10.0.0.5:50051 --tls-fingerprint sha256:...
  vitals doctor unix:/run/vitals.sock
  vitals doctor -o json | jq '.checks[] | select(.outcome == "fails")'`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				c.server = args[0]
			}
			return runDoctor(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.server, "server", "http://localhost:50051", "`URL` of the server, or unix:/path of its socket, if it is not the argument")
	f.StringVarP(&c.output, "output", "o", "table", "`format` of the output: table or json")
	f.DurationVar(&c.timeout, "timeout", doctor.DefaultTimeout, "how long a call may take")
	f.DurationVar(&c.hold, "hold", doctor.DefaultHold, "how long a stream is held open in silence; 0: not at all")
	c.trust.flags(f)
	c.credentials.flags(f)
	mustComplete(cmd, "output", "table", "json")
	return cmd
}

func runDoctor(ctx context.Context, c doctorConfig, out io.Writer) error {
	if c.output != "table" && c.output != "json" {
		return usageError{fmt.Errorf("output %q is neither table nor json", c.output)}
	}
	cl, err := client.New(c.server) // it knows what a target may look like
	if err != nil {
		return usageError{err}
	}
	defer cl.Close()
	tls, err := client.TLSConfig(c.trust.options()...)
	if err != nil {
		return usageError{err}
	}
	if c.hold == 0 {
		c.hold = -1
	}
	header := http.Header{"User-Agent": {"vitals/" + version()}}
	token, err := c.credentials.find([]string{c.server})
	if err != nil {
		return err
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	report, err := doctor.Run(ctx, doctor.Options{
		Target: cl.Target(), TLS: tls, Timeout: c.timeout, Hold: c.hold,
		Header: header,
	})
	if err != nil {
		return usageError{err}
	}
	if c.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = printReport(out, report)
	}
	if err == nil && !report.Healthy() {
		return silentError{}
	}
	return err
}

// printReport writes the checks by group; calls as a matrix with what is wrong
// below, each reason once.
func printReport(out io.Writer, r *doctor.Report) error {
	fmt.Fprintf(out, "%s  %s\n", r.Target, r.Server)
	var calls, others []doctor.Check
	for _, c := range r.Checks {
		if c.Group == "calls" {
			calls = append(calls, c)
		} else {
			others = append(others, c)
		}
	}
	fmt.Fprintln(out)
	rows := [][]string{{"CHECK", "OVER", "OUTCOME", "DETAIL"}}
	for _, c := range others {
		detail := c.Detail
		if c.Milliseconds > 0 {
			detail = strings.TrimPrefix(detail+", "+latency(c), ", ")
		}
		over := strings.Trim(c.Protocol+", "+c.Transport, ", ")
		rows = append(rows, []string{c.Name, over, string(c.Outcome), detail})
	}
	if err := printTable(out, rows...); err != nil {
		return err
	}
	return printCalls(out, calls)
}

func printCalls(out io.Writer, calls []doctor.Check) error {
	if len(calls) == 0 {
		return nil
	}
	var kinds []string
	cells := map[[2]string]map[string]string{}
	var order [][2]string
	var reasons []string
	for _, c := range calls {
		if !slices.Contains(kinds, c.Name) {
			kinds = append(kinds, c.Name)
		}
		key := [2]string{c.Protocol, c.Transport}
		if cells[key] == nil {
			cells[key] = map[string]string{}
			order = append(order, key)
		}
		switch c.Outcome {
		case doctor.Works, doctor.Warns:
			cells[key][c.Name] = latency(c)
		case doctor.Skipped:
			cells[key][c.Name] = "-"
		default:
			if !slices.Contains(reasons, c.Detail) {
				reasons = append(reasons, c.Detail)
			}
			cells[key][c.Name] = fmt.Sprintf("fails (%d)", slices.Index(reasons, c.Detail)+1)
		}
	}
	head := []string{"PROTOCOL", "TRANSPORT"}
	for _, kind := range kinds {
		head = append(head, strings.ToUpper(kind))
	}
	rows := [][]string{head}
	for _, key := range order {
		row := []string{key[0], key[1]}
		for _, kind := range kinds {
			row = append(row, cells[key][kind])
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(out)
	if err := printTable(out, rows...); err != nil {
		return err
	}
	for i, reason := range reasons {
		fmt.Fprintf(out, "(%d) %s\n", i+1, reason)
	}
	return nil
}

func latency(c doctor.Check) string { return fmt.Sprintf("%.1f ms", c.Milliseconds) }
