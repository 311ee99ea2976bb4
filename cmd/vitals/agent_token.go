package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
)

// agentTokenName is the file in the spool's folder that keeps the token which the
// agent got when it enrolled.
const agentTokenName = "agent-token"

// dial makes the client by which the agent reports.
func (c *agentConfig) dial(who *monitoringv1.Reporter, log *slog.Logger) (*client.Client, error) {
	protocol, err := client.ParseProtocol(c.protocol)
	if err != nil {
		return nil, usageError{err}
	}
	options := c.trust.options(client.WithProtocol(protocol), client.WithGzip(), client.WithHeader("User-Agent", "vitals-agent/"+version()))
	if !c.credentials.given() {
		return c.servers.dial(options...)
	}
	token, err := c.token(who, options, log)
	if err != nil {
		return nil, err
	}
	return c.servers.dial(append(options, client.WithTokenSource(token.Source))...)
}

// token is what the agent calls with.
func (c *agentConfig) token(who *monitoringv1.Reporter, options []client.Option, log *slog.Logger) (*agent.Token, error) {
	given, err := c.credentials.find(c.servers.servers)
	if err != nil {
		return nil, usageError{err}
	}
	path := filepath.Join(c.spool.Dir, agentTokenName)
	kept, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the agent's token: %w", err)
	}
	return agent.NewToken(agent.TokenOptions{
		Given: given,
		Kept:  strings.TrimSpace(string(kept)),
		Keep:  func(token string) error { return writeSecretFile(path, []byte(token+"\n")) },
		Enrol: func(ctx context.Context) (string, error) {
			cl, err := c.servers.dial(append(options, client.WithToken(given))...)
			if err != nil {
				return "", err
			}
			defer cl.Close()
			res, err := cl.Accounts().Enrol(ctx, &usersv1.EnrolRequest{Hostname: who.GetHostname(), HostId: who.GetHostId()})
			if connect.CodeOf(err) == connect.CodeUnauthenticated {
				return "", fmt.Errorf("the enrolment token is not taken: %w", err)
			}
			return res.GetSecret(), err
		},
		Logger: log,
	}), nil
}
