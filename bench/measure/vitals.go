package main

import (
	"context"
	"fmt"
	"os"

	"github.com/vitals-rpc/vitals/bench/internal/process"
)

// serve starts a real server with a data folder, on so many cores, 0 meaning
// all, and returns its URL. It measures its own host each second, as it always
// does; what that costs is part of what is measured.
func (b *bench) serve(ctx context.Context, cores int, dir string) (*process.Process, string, error) {
	return b.serveWith(ctx, cores, dir)
}

// serveWith is serve with further flags.
func (b *bench) serveWith(ctx context.Context, cores int, dir string, more ...string) (*process.Process, string, error) {
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	args := []string{"serve", "--listen", addr, "--data-dir", dir, "--hostname", "bench-server"}
	p, err := process.Start(ctx, cores, b.vitals, append(args, more...)...)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + addr
	if err := p.Ready(ctx, url+"/healthz"); err != nil {
		p.Stop()
		return nil, "", err
	}
	return p, url, nil
}

// folder makes a folder for one measurement; remove it when done.
func (b *bench) folder() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(b.work, "run-*")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// mib writes bytes as MiB.
func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
