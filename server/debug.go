package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/vitals-rpc/vitals/server/access"
)

// RunDebug serves profiles of this process (net/http/pprof) on a listener, which
// it owns, until ctx ends. It is for a loopback address: a profile tells much, and
// there are no accounts in front of it.
func (s *Server) RunDebug(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	// No page of another site gets there, by whatever name.
	srv := &http.Server{Handler: access.LocalOnly(mux), ReadHeaderTimeout: s.opts.ReadHeaderTimeout}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // profiles are not waited for
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
