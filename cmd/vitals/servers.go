package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/client/balance"
)

// serversConfig holds the flags that say which servers to call.
type serversConfig struct {
	servers []string
	policy  string
}

const serverHelp = "`URL` of the server; also dns:///name:port for all addresses of a name and srv:///_vitals._tcp.example.com, " +
	"with dns+https:/// and srv+https:/// for TLS; may be repeated"

// flags are the flags of a command that asks.
func (c *serversConfig) flags(f *pflag.FlagSet) {
	c.serverFlag(f, serverHelp+", for servers that stand for one another")
	f.StringVar(&c.policy, "balance", string(balance.First), "which of several servers gets a call: "+strings.Join(balance.Policies(), ", "))
}

func (c *serversConfig) serverFlag(f *pflag.FlagSet, help string) {
	f.StringSliceVar(&c.servers, "server", []string{"http://localhost:50051"}, help)
}

// dial makes the client of the servers. Its errors are the caller's mistakes.
func (c *serversConfig) dial(options ...client.Option) (*client.Client, error) {
	cl, err := client.NewBalanced(c.servers, append(options, client.WithPolicy(balance.Policy(c.policy)))...)
	if err != nil {
		return nil, usageError{err}
	}
	return cl, nil
}

// String names them for a person.
func (c *serversConfig) String() string { return strings.Join(c.servers, ", ") }
