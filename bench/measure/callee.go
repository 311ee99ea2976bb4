package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"github.com/vitals-rpc/vitals/bench/internal/process"
)

// callee is a server that is called.
type callee struct {
	*running

	name   string
	header []string // that calls of it need
}

// site starts the servers of one measurement, each on the first core. The first
// error stays, and what comes thereafter does nothing.
type site struct {
	*bench

	ctx     context.Context //nolint:containedctx // of the measurement, which a site does not outlive
	dir     string
	callees []*callee
	err     error
}

func (s *site) stop() {
	for _, c := range s.callees {
		c.Stop()
	}
}

func (s *site) add(name string, r *running, err error) *callee {
	if err != nil {
		s.err = err
		return nil
	}
	c := &callee{running: r, name: name}
	if r.viewer != "" {
		c.header = []string{"authorization", "Bearer " + r.viewer}
	}
	s.callees = append(s.callees, c)
	return c
}

// vitals starts a server whose HTTP/2 is own or std. It has measured its host when
// it returns.
func (s *site) vitals(who string) *callee {
	if s.err != nil {
		return nil
	}
	start := s.serve
	if who != "own" {
		start = func(ctx context.Context, cores int, dir string) (*running, error) {
			return s.serveWith(ctx, cores, dir, "--http2", who)
		}
	}
	r, err := start(s.ctx, 1, filepath.Join(s.dir, "vitals-"+who))
	c := s.add("vitals serve --http2="+who, r, err)
	if err == nil {
		s.err = r.Ready(s.ctx, r.url+"/readyz")
	}
	return c
}

// grpcGo starts the peer on grpc-go.
func (s *site) grpcGo() *callee {
	path := s.build("grpcgo")
	if s.err != nil {
		return nil
	}
	s.note("grpc-go", moduleVersion("google.golang.org/grpc"))
	ready, err := process.FreeAddress()
	if err != nil {
		s.err = err
		return nil
	}
	addr, err := process.FreeAddress()
	if err != nil {
		s.err = err
		return nil
	}
	r := &running{url: "http://" + addr}
	if r.Process, err = process.Start(s.ctx, 1, path, "--listen", addr, "--ready", ready); err == nil {
		defer func() { s.err = r.Ready(s.ctx, "http://"+ready) }()
	}
	return s.add("grpc-go", r, err)
}

// plain starts the peer on a connect.Server without interceptors.
func (s *site) plain(who string) *callee {
	path := s.build("plain")
	if s.err != nil {
		return nil
	}
	s.note("connect-go", moduleVersion("connectrpc.com/connect/v2"))
	name := "a bare connect.Server over server/h2"
	if who == "std" {
		name = "connect-go over plain net/http"
	}
	r, err := startPeer(s.ctx, 1, path, "/healthz", func(addr string) []string { return []string{"--listen", addr, "--http2", who} })
	return s.add(name, r, err)
}

// build builds one of our own programs, once.
func (s *site) build(name string) (path string) {
	if s.err != nil {
		return ""
	}
	path = filepath.Join(s.work, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.CommandContext(s.ctx, "go", "build", "-trimpath", "-o", path, "./"+name).CombinedOutput(); err != nil { //nolint:gosec // our own programs
		s.err = fmt.Errorf("%s does not build (%w): %s", name, err, out)
	}
	return path
}

// moduleVersion is that of a module that this program, and what it builds, is
// made with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
