package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"github.com/vitals-rpc/vitals/client"
)

func newTop() *cobra.Command {
	c := caller{output: "table"}
	var host string
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch all hosts live in the terminal, or one in detail",
		Long: `Watch all hosts live in the terminal: sort by any column, filter as you type,
open a host with Enter to see everything that it measures. Press ? for the keys.
It goes on by itself when the server was away.

The server is reached by HTTP/2 with every protocol, also over plain http, which a
proxy in between has to pass on.`,
		Example: `  vitals top
  vitals top --host web-1
  vitals top --server https://vitals.example.com --interval 5s
  vitals top --server hub-1:50051 --server hub-2:50051   # the second when the first is away`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTop(cmd.Context(), c, host, interval, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	c.connectionFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&host, "host", "", "`name` of a host to open at once")
	f.DurationVar(&interval, "interval", 0, "least time between two updates of a value, for a slow link (default: each sample as it comes)")
	return cmd
}

// runTop draws until the person quits, which is no error.
func runTop(ctx context.Context, c caller, host string, interval time.Duration, in io.Reader, out io.Writer) error {
	if interval < 0 || interval > time.Hour {
		return usageError{fmt.Errorf("interval %s is not between 0 and 1h", interval)}
	}
	cl, err := c.dialHTTP2()
	if err != nil {
		return err
	}
	defer cl.Close()
	if why := noScreen(in, out, os.Getenv("TERM")); why != "" {
		return usageError{fmt.Errorf("top draws on a terminal, and %s; 'vitals watch' writes a line a sample anywhere, 'vitals hosts' lists the hosts", why)}
	}
	ctx, cancel := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	defer feeding.Wait()
	defer cancel()

	feed := &topFeed{live: cl.Live(), query: cl.Query(), interval: interval, changed: make(chan struct{}, 1)}
	program := tea.NewProgram(newTopModel(cl.Target(), host, time.Now(), feed.choose), topProgramOptions(ctx, in, out)...)
	feed.send = program.Send
	feeding.Go(func() { feed.run(ctx) })
	feeding.Go(func() { feed.list(ctx) })
	_, err = program.Run()
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		return nil
	}
	return err
}

// topProgramOptions wires the screen to the terminal.
func topProgramOptions(ctx context.Context, in io.Reader, out io.Writer) []tea.ProgramOption {
	opts := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()}
	if os.Getenv("NO_COLOR") != "" {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	return opts
}

// noScreen says why nothing can be drawn; "" if it can.
func noScreen(in io.Reader, out io.Writer, termName string) string {
	input, _ := in.(io.Writer) // an *os.File is both
	switch {
	case !isTerminal(out):
		return "its output is none"
	case input == nil || !isTerminal(input):
		return "its input is none"
	case termName == "dumb" || termName == "" && runtime.GOOS != "windows": // a Windows console has no TERM
		return fmt.Sprintf("this one cannot be drawn on (TERM is %q)", termName)
	}
	return ""
}

// dialHTTP2 makes a client that can stream both ways.
func (c *caller) dialHTTP2() (*client.Client, error) { return c.connect(client.WithH2C()) }
