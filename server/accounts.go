package server

import (
	"context"
	"os"

	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/account/sqlite"
)

// closeAccounts closes what was handed in, when nothing comes of it.
func (o *Options) closeAccounts() error {
	if o.Accounts == nil {
		return nil
	}
	return o.Accounts.Close()
}

// openAccounts opens the accounts and keeps them up to date until closeAccounts.
func (s *Server) openAccounts(ctx context.Context) error {
	if s.opts.Accounts == nil {
		store, err := sqlite.Open(ctx, s.opts.History.Dir)
		if err != nil {
			return err
		}
		s.opts.Accounts, err = account.NewDirectory(ctx, account.Options{Store: store, Logger: s.opts.Logger})
		if err != nil {
			_ = store.Close() // the error that matters is the one before
			return err
		}
	}
	hosts := append([]string{s.opts.Hostname}, s.opts.AllowedHosts...)
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	s.guard = access.New(access.Options{
		Directory:         s.opts.Accounts,
		Registerer:        s.metrics,
		AnonymousViewer:   s.opts.AnonymousViewer,
		InsecureAnonymous: s.opts.InsecureAnonymous,
		Certificates:      s.opts.CertificateRoles,
		Hosts:             hosts,
		Origins:           s.opts.AllowedOrigins,
	})
	ctx, s.stopAccounts = context.WithCancel(context.WithoutCancel(ctx))
	s.accountsDone = make(chan struct{})
	go func() {
		defer close(s.accountsDone)
		s.opts.Accounts.Run(ctx)
	}()
	return nil
}

func (s *Server) closeAccounts() error {
	s.stopAccounts()
	<-s.accountsDone
	return s.opts.Accounts.Close()
}

// Accounts knows who may call.
func (s *Server) Accounts() *account.Directory { return s.opts.Accounts }
