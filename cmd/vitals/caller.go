package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/client/balance"
)

// caller holds the flags of the commands that ask a server.
type caller struct {
	protocol, output, gzip string
	servers                serversConfig
	timeout                time.Duration
	trust                  trustConfig
	credentials            tokenConfig
}

// What --gzip may be, and what each makes of a client.
var gzipOptions = map[string][]client.Option{
	"auto":   nil,
	"always": {client.WithGzip()},
	"never":  {client.WithoutGzip()},
}

// flags are the flags of a command that prints.
func (c *caller) flags(cmd *cobra.Command) {
	c.connectionFlags(cmd)
	cmd.Flags().StringVarP(&c.output, "output", "o", "table", "`format` of the output: table or json")
	mustComplete(cmd, "output", "table", "json")
}

// connectionFlags are the flags that say how to reach a server.
func (c *caller) connectionFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	c.servers.flags(f)
	f.StringVar(&c.protocol, "protocol", string(client.Connect), "RPC `protocol`: connect, grpc or grpcweb")
	c.trust.flags(f)
	c.credentials.flags(f)
	f.DurationVar(&c.timeout, "timeout", 10*time.Second, "how long a call may take; streams have no limit")
	f.StringVar(&c.gzip, "gzip", "auto", "what is compressed: `auto` (answers of other machines), always (requests and answers, for a server behind ssh -L, whose address is this machine's), never")
	mustComplete(cmd, "protocol", "connect", "grpc", "grpcweb")
	mustComplete(cmd, "balance", balance.Policies()...)
	mustComplete(cmd, "gzip", "auto", "always", "never")
}

// mustComplete offers fixed values to the shell's completion.
func mustComplete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // no such flag: a mistake in this program
	}
}

// dial makes the client that the flags describe.
func (c *caller) dial() (*client.Client, error) {
	if c.output != "table" && c.output != "json" {
		return nil, usageError{fmt.Errorf("output %q is neither table nor json", c.output)}
	}
	return c.connect()
}

// connect makes a client of the flags that say how to reach a server, with further
// options.
func (c *caller) connect(more ...client.Option) (*client.Client, error) {
	protocol, err := client.ParseProtocol(c.protocol)
	if err != nil {
		return nil, usageError{err}
	}
	packing, known := gzipOptions[c.gzip]
	if !known {
		return nil, usageError{fmt.Errorf("gzip %q is none of auto, always and never", c.gzip)}
	}
	more = append(more, packing...)
	more = append(more, client.WithProtocol(protocol), client.WithTimeout(c.timeout), client.WithHeader("User-Agent", "vitals/"+version()))
	options, err := c.credentials.options(c.servers.servers, c.trust.options(more...)...)
	if err != nil {
		return nil, err
	}
	return c.servers.dial(options...)
}

// explain adds to a call's error what the person at the terminal should try.
func (c *caller) explain(err error) error {
	if _, ok := errors.AsType[*client.TLSError](err); !ok && isUnavailable(err) {
		return fmt.Errorf("%w\nNo answer from %s: is 'vitals serve' running there? Name another server with --server", err, &c.servers)
	}
	return err
}

// printJSON writes a message as one line of JSON, zero values included.
func printJSON(w io.Writer, msg proto.Message) error {
	text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(msg)
	if err != nil {
		return err
	}
	// protojson varies its spacing on purpose; scripts want it the same always.
	var raw json.RawMessage = text
	line, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}

// printTable writes rows in aligned columns, the first being the heads.
func printTable(w io.Writer, rows ...[]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}
