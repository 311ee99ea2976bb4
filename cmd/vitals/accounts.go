package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	usersv1 "github.com/vitals-rpc/vitals/gen/users/v1"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/rpc"
)

// accountCommand is the part of the command line that says whose accounts a
// command is about: those of a server that is asked, or those in a data folder
// of this machine, which whoever may write there may change. A running server
// notices by itself.
type accountCommand struct {
	caller

	dataDir  string
	atServer bool
}

func (c *accountCommand) flags(cmd *cobra.Command) {
	c.caller.flags(cmd)
	cmd.Flags().StringVar(&c.dataDir, "data-dir", defaultDataDir(), "`folder` of the server on this machine; used unless --server or a token is given, or 'vitals login' was run")
}

// decide chooses between the server and the folder.
func (c *accountCommand) decide(cmd *cobra.Command) error {
	if cmd.Flags().Changed("server") || c.credentials.given() {
		c.atServer = true
		return nil
	}
	if cmd.Flags().Changed("data-dir") {
		return nil
	}
	logins, err := readLogins()
	c.atServer = logins[serverKey(c.servers.servers)] != ""
	return err
}

// run calls do with the accounts.
func (c *accountCommand) run(cmd *cobra.Command, do func(context.Context, usersv1connect.AccountServiceHandler) error) error {
	if err := c.decide(cmd); err != nil {
		return err
	}
	if c.atServer {
		cl, err := c.dial()
		if err != nil {
			return err
		}
		defer cl.Close()
		return c.explain(do(cmd.Context(), cl.Accounts()))
	}
	if c.output != "table" && c.output != "json" {
		return usageError{fmt.Errorf("output %q is neither table nor json", c.output)}
	}
	return c.inFolder(cmd.Context(), cmd.ErrOrStderr(), do)
}

// inFolder calls do with the accounts of the data folder.
func (c *accountCommand) inFolder(ctx context.Context, stderr io.Writer, do func(context.Context, usersv1connect.AccountServiceHandler) error) (err error) {
	store, err := openAccounts(ctx, c.dataDir)
	if err != nil {
		return fmt.Errorf("%w\nName the server's data folder with --data-dir, or the server with --server", err)
	}
	directory, err := account.NewDirectory(ctx, account.Options{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	defer func() { err = errors.Join(err, directory.Close()) }()
	fmt.Fprintf(stderr, "in %s\n", c.dataDir)
	ctx = account.WithCaller(ctx, account.Caller{Identity: account.Owner(ownerName()), Peer: "local"})
	return do(ctx, &rpc.AccountService{Accounts: directory})
}

// ownerName says for the record of events who ran a command on the folder.
func ownerName() string {
	if u, err := user.Current(); err == nil {
		return u.Username + " (on the server)"
	}
	return "someone (on the server)"
}

// roleNames are those that a user may have.
func roleNames() []string {
	var names []string
	for _, r := range account.Roles() {
		names = append(names, string(r))
	}
	return names
}

// parseRole reads a role as messages have it.
func parseRole(name string) (authv1.Role, error) {
	role, err := account.ParseRole(name)
	if err != nil {
		return 0, usageError{err}
	}
	return access.ToProto(role), nil
}

// roleName is a role as people write it, and that of a newer server as it came.
func roleName(role authv1.Role) string {
	if known, ok := access.FromProto(role); ok {
		return cmp.Or(string(known), "anyone")
	}
	return role.String()
}

// kindName is a kind of token as people write it.
func kindName(kind usersv1.TokenKind) string {
	return strings.ToLower(strings.TrimPrefix(kind.String(), "TOKEN_KIND_"))
}

// when is a time as people read it, never where it is unset.
func when(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	return t.AsTime().Local().Format(time.DateTime)
}
