package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	connectcors "connectrpc.com/cors"
	"connectrpc.com/grpcreflect"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/cors"

	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/server/interceptor"
	"github.com/vitals-rpc/vitals/server/rpc"
)

// routes is every route on one screen. All transports stand over one
// connect.Server, so the interceptors run once for each call, in this order.
func (s *Server) routes() (http.Handler, error) {
	calls := connect.NewServer(
		interceptor.RequestID,
		interceptor.Log(s.opts.Logger),
		interceptor.NewMetrics(s.metrics).Intercept,
		interceptor.Recovery(s.opts.Logger),
		rpc.Errors,
		s.streams.Intercept,
	)
	monitoringconnect.RegisterMonitoringServiceHandler(calls, &rpc.Monitoring{
		Hostname: s.opts.Hostname, Live: s.hub, Health: s.health,
	})
	services := serviceNames(calls)
	(&rpc.GRPCHealth{Registry: s.health, Services: services}).Register(calls)
	reflector := grpcreflect.NewStaticReflector(append(services, rpc.GRPCHealthName)...)

	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls, connecthttp.WithReadMaxBytes(s.opts.MaxMessageBytes))
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("/", otherwise(s.opts.Page))

	allowed, err := allowOrigins(s.opts.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	return allowed(sendDeadline(explain(mux), s.opts.SendTimeout)), nil
}

// serviceNames returns the full names of the registered services, each once.
func serviceNames(calls *connect.Server) []string {
	var names []string
	for spec := range calls.Specs() {
		name, _, _ := strings.Cut(strings.TrimPrefix(spec.Procedure, "/"), "/")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// serveReady says whether the server should be sent callers.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if _, err := s.health.Check(""); err != nil {
		writeText(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeText(w, http.StatusOK, "ok")
}

// otherwise answers a call of a service that there is not in the caller's own
// protocol, and gives all else to the page.
func otherwise(page http.Handler) http.Handler {
	errorWriter := connecthttp.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && errorWriter.IsSupported(r) {
			err := connect.Errorf(connect.CodeUnimplemented, "there is no procedure %s here; reflection lists what there is (grpcurl -plaintext %s list)", r.URL.Path, r.Host)
			_ = errorWriter.Write(w, r, err) // the caller is gone
			return
		}
		page.ServeHTTP(w, r)
	})
}

// allowOrigins is the CORS middleware for exactly these origins.
func allowOrigins(origins []string) (func(http.Handler) http.Handler, error) {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || strings.Contains(origin, "*") {
			return nil, fmt.Errorf("allowed origin %q is not of the form scheme://host[:port], such as https://dash.example.com", origin)
		}
	}
	if len(origins) == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: connectcors.AllowedMethods(),
		AllowedHeaders: append(connectcors.AllowedHeaders(), interceptor.RequestIDHeader),
		ExposedHeaders: append(connectcors.ExposedHeaders(), interceptor.RequestIDHeader),
		MaxAge:         7200, // seconds; the most that browsers keep
	}).Handler, nil
}
