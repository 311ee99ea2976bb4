package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/store"
)

// accessConfig is the part of serve's command line that says who may call.
type accessConfig struct {
	anonymousViewer  bool
	firstAdmin       string
	certificateRoles []string
	allowedHosts     []string
	debugListen      string
}

func (c *accessConfig) flags(f *pflag.FlagSet) {
	f.BoolVar(&c.anonymousViewer, "anonymous-viewer", false, "let callers without a token read, as for a public status page")
	f.StringVar(&c.firstAdmin, "first-admin", "", "on the first start, make an admin of that `name` and print its token on standard output, this once")
	f.StringArrayVar(&c.certificateRoles, "client-cert-role", nil, "role of client certificates by common name, such as `CN=agent-*:agent` (the host is what the * stands for); may be repeated; needs --tls-client-ca")
	f.StringSliceVar(&c.allowedHosts, "allowed-host", nil, "host `name` by which callers may reach the server, beside localhost, addresses and this machine's own; *.example.com for all below; may be repeated")
	f.StringVar(&c.debugListen, "debug-listen", "", "loopback `address` to serve profiles of this process at (net/http/pprof), such as localhost:6060")
}

// debug binds where profiles are served, on loopback only.
func (c *accessConfig) debug(ctx context.Context) ([]*listen.Listener, error) {
	if c.debugListen == "" {
		return nil, nil
	}
	listeners, err := listen.Open(ctx, listen.Options{Addresses: []string{c.debugListen}})
	if errors.Is(err, listen.ErrNotLoopback) {
		return nil, usageError{fmt.Errorf("--debug-listen %s: profiles are served on loopback only, such as localhost:6060", c.debugListen)}
	}
	return listeners, err
}

// open opens the accounts and puts all into the server's options.
func (c *accessConfig) open(ctx context.Context, o *server.Options, stdout io.Writer) error {
	o.AnonymousViewer, o.AllowedHosts = c.anonymousViewer, c.allowedHosts
	for _, text := range c.certificateRoles {
		role, err := access.ParseCertificateRole(text)
		if err != nil {
			return usageError{err}
		}
		o.CertificateRoles = append(o.CertificateRoles, role)
	}
	if err := store.CheckFree(o.History.Dir); err != nil {
		return err
	}
	accounts, err := openAccounts(ctx, o.History.Dir)
	if err != nil {
		return err
	}
	o.Accounts, err = account.NewDirectory(ctx, account.Options{Store: accounts, Logger: o.Logger})
	if err != nil {
		return errors.Join(err, accounts.Close())
	}
	if err := c.makeFirstAdmin(ctx, o.Accounts, stdout); err != nil {
		return errors.Join(err, o.Accounts.Close())
	}
	return nil
}

// makeFirstAdmin makes an admin where there is none yet.
func (c *accessConfig) makeFirstAdmin(ctx context.Context, accounts *account.Directory, stdout io.Writer) error {
	if c.firstAdmin == "" || accounts.HasAdmin() {
		return nil
	}
	by := account.Caller{Identity: account.Owner("the first start"), Peer: "local"}
	if _, err := accounts.CreateUser(ctx, by, account.NewUser{Name: c.firstAdmin, Role: account.Admin}); err != nil {
		return fmt.Errorf("making the first admin: %w", err)
	}
	secret, _, err := accounts.CreateToken(ctx, by, account.NewToken{Name: "first", User: c.firstAdmin})
	if err != nil {
		return fmt.Errorf("making the first admin's token: %w", err)
	}
	_, err = fmt.Fprintln(stdout, secret.Reveal())
	return err
}
