package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "vitals",
		Short: "The live vital signs of machines, for every caller",
		Long: `Vitals measures machines and answers everyone who asks: browsers, curl with
JSON, gRPC and gRPC-Web clients, over one port.

Each flag can also be given as an environment variable (--listen as
VITALS_LISTEN) or as a line of the YAML file that --config names (listen: ...).
The flag wins over the variable, the variable over the file.

Exit codes: 0 all went well, 1 it failed, 2 the command line is wrong,
64 + the code of the RPC's error (69: not found, 78: unavailable).`,
		Example: `  vitals serve                          # this machine, at http://localhost:50051
  vitals get memory                     # one number
  vitals watch cpu --host web-1         # live, until Ctrl-C
  vitals top                            # all hosts, live
  vitals query 'avg by (hostname) (cpu)' --since 1h
  vitals agent --server http://hub:50051   # report this machine to a server elsewhere
  vitals health                         # is the server well?
  vitals doctor https://vitals.example.com   # what gets through to it from here, and why not`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: applySettings,
		Args:              usage(cobra.NoArgs),
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().String("config", "", "YAML `file` with a line a flag")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nRun '%s --help' for the flags that there are", err, cmd.CommandPath())}
	})
	root.AddCommand(newServe(), newAgent(), newCollect(),
		newHosts(), newTop(), newQuery(), newMetrics(), newGet(), newWatch(), newReport(), newHealth(), newDoctor(),
		newLogin(), newLogout(), newWhoAmI(), newUser(), newToken(), newAudit(), newVersion())
	root.InitDefaultCompletionCmd()
	return root
}

// usage marks the errors of an argument check as mistakes in the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w\nRun '%s --help' for how to call it", err, cmd.CommandPath())}
		}
		return nil
	}
}
