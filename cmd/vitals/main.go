// Command vitals serves the live vital signs of machines, and asks for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"connectrpc.com/connect/v2"
	"github.com/spf13/cobra"
)

// Exit codes, so that a script can tell what went wrong. An RPC's error exits
// with exitRPC plus its code, as grpcurl has it.
const (
	exitFailure = 1
	exitUsage   = 2
	exitRPC     = 64
)

func main() {
	// The first signal asks for an orderly end; from then on signals have their
	// default effect, so that a second one stops at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, newRoot(), os.Args[1:]))
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(numbersApart(root, args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(root.ErrOrStderr(), "vitals: "+text)
	}
	return exitCode(err)
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// silentError ends the program with exitFailure and no further word, where the
// output has said it all.
type silentError struct{}

func (silentError) Error() string { return "" }

func exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if rpc, ok := errors.AsType[*connect.Error](err); ok {
		return exitRPC + int(rpc.Code())
	}
	return exitFailure
}
