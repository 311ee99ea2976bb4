package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/client"
)

// running is a server that is measured.
type running struct {
	*process.Process

	url string // http://host:port
	// viewer and operator are tokens for reading and for reporting. Peers ask for
	// none.
	viewer, operator string
}

// addr is host:port.
func (r *running) addr() string { return strings.TrimPrefix(r.url, "http://") }

// as is a client's option to call with a token.
func as(token string) client.Option { return client.WithToken(token) }

// roomForOne are the bounds of one caller, raised, because here one caller makes the
// calls of thousands. They are looked at in each call all the same.
var roomForOne = []string{
	"--max-calls-per-second", "10000000", "--max-bytes-per-second", "100000000000",
	"--max-streams", "50000", "--max-streams-per-caller", "50000", "--max-hosts", "50000",
}

// serve starts a real server with a data folder, on so many cores, 0 meaning
// all. There are accounts, so that each call has to show a token. It measures its
// own host each second, as it always does; what that costs is part of what is
// measured.
func (b *bench) serve(ctx context.Context, cores int, dir string) (*running, error) {
	if b.debug != "" {
		return b.serveWith(ctx, cores, dir, "--debug-listen", b.debug)
	}
	return b.serveWith(ctx, cores, dir)
}

// serveWith is serve with further flags and without profiles.
func (b *bench) serveWith(ctx context.Context, cores int, dir string, more ...string) (*running, error) {
	accounts, err := b.accounts(ctx, dir)
	if err != nil {
		return nil, err
	}
	return b.start(ctx, cores, dir, accounts, more...)
}

// accounts makes accounts in a data folder and returns the tokens.
func (b *bench) accounts(ctx context.Context, dir string) (tokens running, err error) {
	if _, err = b.account(ctx, dir, "admin"); err != nil { // without one the server is open to all
		return tokens, err
	}
	if tokens.viewer, err = b.account(ctx, dir, "viewer"); err != nil {
		return tokens, err
	}
	tokens.operator, err = b.account(ctx, dir, "operator")
	return tokens, err
}

// start starts a server on a folder that has these accounts.
func (b *bench) start(ctx context.Context, cores int, dir string, accounts running, more ...string) (*running, error) {
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	r := &accounts
	r.url = "http://" + addr
	args := append([]string{"serve", "--listen", addr, "--data-dir", dir, "--hostname", hostname}, roomForOne...)
	if r.Process, err = process.Start(ctx, cores, b.vitals, append(args, more...)...); err != nil {
		return nil, err
	}
	if err := r.Ready(ctx, r.url+"/healthz"); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// hostname is what the measured servers call their own host.
const hostname = "bench-server"

// account makes a user of that role and name in a data folder, and returns its
// token.
func (b *bench) account(ctx context.Context, dir, role string) (token string, err error) {
	cmd := exec.CommandContext(ctx, b.vitals, "user", "add", role, "--role", role, "--new-token", "--data-dir", dir) //nolint:gosec // the operator's program
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("vitals user add %s: %w: %s", role, err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// folder makes a folder for one measurement; remove it when done.
func (b *bench) folder() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(b.work, "run-*")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// mib writes bytes as MiB.
func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
