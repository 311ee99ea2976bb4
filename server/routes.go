package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	connectcors "connectrpc.com/cors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/cors"

	"github.com/vitals-rpc/vitals/compress"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/gen/users/usersconnect"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/caching"
	"github.com/vitals-rpc/vitals/server/grpc"
	"github.com/vitals-rpc/vitals/server/interceptor"
	"github.com/vitals-rpc/vitals/server/jsonrpc"
	"github.com/vitals-rpc/vitals/server/peer"
	"github.com/vitals-rpc/vitals/server/query"
	"github.com/vitals-rpc/vitals/server/rpc"
	"github.com/vitals-rpc/vitals/server/transport"
	"github.com/vitals-rpc/vitals/server/xmlrpc"
)

// routes is every route on one screen. All transports stand over one
// connect.Server, so the interceptors run once for each call, in this order. An
// RPC's role is in its schema, a plain route's is here.
//
// Errors: an RPC without a role, or a role without an RPC.
func (s *Server) routes() (http.Handler, error) {
	calls := connect.NewServer(
		interceptor.RequestID,
		interceptor.Log(s.opts.Logger),
		s.calls.Intercept,
		interceptor.Recovery(s.opts.Logger),
		rpc.Errors,
		s.admission.Strangers,
		s.guard.Intercept,
		s.admission.Intercept,
		s.streams.Intercept,
		interceptor.Validation(rpc.ReportObeys),
	)
	s.register(calls)
	if err := s.guard.Declare(calls, s.opts.Roles); err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	codecs, compressors := codecs(), []connect.Compressor{&compress.Gzip{}}
	connecthttp.Mount(procedures{mux}, calls,
		connecthttp.WithReadMaxBytes(s.opts.MaxMessageBytes), connecthttp.WithCompressors(compressors...),
		connecthttp.WithCodecs(codecs...))
	s.direct = grpc.New(grpc.Options{Calls: calls, Codecs: codecs, Compressors: compressors, MaxMessageBytes: s.opts.MaxMessageBytes, Begin: s.beginDirect})
	plain := func(pattern string, role account.Role, handler http.Handler) {
		mux.Handle(pattern, s.admission.StrangersTo(s.guard.Require(role, s.admission.Handler(handler))))
	}
	plain("GET /metrics", account.Viewer, oneAtATime(promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})))
	plain("GET /healthz", account.Anyone, http.HandlerFunc(serveAlive))
	plain("GET /readyz", account.Anyone, http.HandlerFunc(s.serveReady))
	plain("POST /session", account.Anyone, http.HandlerFunc(s.serveSignIn))
	plain("DELETE /session", account.Anyone, http.HandlerFunc(s.serveSignOut))
	jsonRPC, xmlRPC, err := s.byName(calls)
	if err != nil {
		return nil, err
	}
	jsonRPC = s.admission.StrangersTo(s.guard.Named(readInTime(jsonRPC, s.opts.ReadTimeout)))
	xmlRPC = s.admission.StrangersTo(s.guard.Named(readInTime(xmlRPC, s.opts.ReadTimeout)))
	mux.Handle("/jsonrpc", jsonRPC)
	mux.Handle("/RPC2", xmlRPC)
	other := s.admission.Arrivals(otherwise(s.opts.Page, s.calls.Unknown)) // the page is the same for everyone; what it shows comes by calls
	mux.Handle("POST /{$}", byType(jsonRPC, xmlRPC, other))
	mux.Handle("/", other)

	allowed := allowOrigins(s.opts.AllowedOrigins)
	answer := allowed(s.guard.Site(sendDeadline(takeIn(explain(mux), s.opts.SendTimeout), s.opts.SendTimeout)))
	return settle(s.guard.Connection(peer.Identify(answer, s.opts.TrustedProxies))), nil
}

// register puts every service on the connect.Server.
func (s *Server) register(calls *connect.Server) {
	promql := query.New(s.store.Queryable(), query.Options{Logger: s.opts.Logger})
	monitoringconnect.RegisterMonitoringServiceHandler(calls, &rpc.Monitoring{
		Hostname: s.opts.Hostname, Live: s.hub, Types: s.fleet, Hosts: s.fleet, History: promql, Health: s.health,
	})
	monitoringv1connect.RegisterLiveServiceHandler(calls, &rpc.LiveService{Live: s.hub, Types: s.fleet, Heartbeat: s.opts.Heartbeat})
	monitoringv1connect.RegisterQueryServiceHandler(calls, &rpc.QueryService{
		Fleet: s.fleet, History: s.store, PromQL: promql,
	})
	monitoringv1connect.RegisterIngestServiceHandler(calls, &rpc.IngestService{Hostname: s.opts.Hostname, Ingest: s.door, Types: s.fleet})
	monitoringv1connect.RegisterSystemServiceHandler(calls, &rpc.SystemService{
		Hostname: s.opts.Hostname, Version: s.opts.Version, Started: s.started, Health: s.health,
		Protocols: []string{connect.ProtocolNameConnect, connect.ProtocolNameGRPC, connect.ProtocolNameGRPCWeb, jsonrpc.Protocol, xmlrpc.Protocol},
	})
	diagnosticsv1connect.RegisterDiagnosticsServiceHandler(calls, rpc.Diagnostics{})
	usersconnect.RegisterUserServiceHandler(calls, &rpc.UserService{Accounts: s.opts.Accounts})
	usersv1connect.RegisterAccountServiceHandler(calls, &rpc.AccountService{Accounts: s.opts.Accounts, Hostname: s.opts.Hostname})
	if s.opts.Services != nil {
		s.opts.Services(calls)
	}
	(&rpc.GRPCHealth{Registry: s.health, Services: serviceNames(calls)}).Register(calls)
	reflection := &rpc.Reflection{May: s.guard.MayCallAny}
	reflection.Register(calls)
	reflection.Describe(calls)
}

// byName makes the transports that call a method by its name, from the descriptors
// of all that are registered.
func (s *Server) byName(calls *connect.Server) (jsonRPC, xmlRPC http.Handler, err error) {
	methods, err := transport.NewMethods(calls)
	if err != nil {
		return nil, nil, err
	}
	limit := s.opts.MaxMessageBytes
	jsonRPC, err = jsonrpc.New(jsonrpc.Options{Methods: methods, MaxMessageBytes: limit, Title: "Vitals", Version: s.opts.Version, MayDescribe: s.guard.MayDescribe, Unknown: s.calls.Unknown, Gate: s.admission})
	return jsonRPC, xmlrpc.New(xmlrpc.Options{Methods: methods, MaxMessageBytes: limit, MayDescribe: s.guard.MayDescribe, Unknown: s.calls.Unknown, Gate: s.admission}), err
}

// byType takes calls at the root, where clients of older protocols send them, by
// what their body is.
func byType(jsonRPC, xmlRPC, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case transport.HasType(r, jsonrpc.ContentTypes...):
			jsonRPC.ServeHTTP(w, r)
		case transport.HasType(r, xmlrpc.ContentTypes...):
			xmlRPC.ServeHTTP(w, r)
		default:
			other.ServeHTTP(w, r)
		}
	})
}

// codecs are those of the messages. Protobuf is encoded always the same, as an
// ETag needs.
func codecs() []connect.Codec {
	binary := connectproto.NewBinaryCodec()
	binary.MarshalOptions.Deterministic = true
	return []connect.Codec{rpc.NewReportCodec(binary), connectproto.NewJSONCodec()}
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

// serveAlive says that the server answers.
func serveAlive(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

// serveReady says whether the server should be sent callers, and why not to those
// who may read.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	if status, err := s.health.Status(""); err != nil || !status.Healthy() {
		text := "not ready"
		if account.CallerFrom(r.Context()).May(account.Viewer) {
			text = errors.Join(err, status.Problem).Error()
		}
		writeText(w, http.StatusServiceUnavailable, text)
		return
	}
	writeText(w, http.StatusOK, "ok")
}

// procedures mounts procedures alone. What Mount adds for the unknown methods of
// a known service is left out, since it takes them for streams both ways and
// tells callers by HTTP/1.1 so; all that is unknown ends in otherwise.
type procedures struct{ *http.ServeMux }

func (p procedures) Handle(pattern string, handler http.Handler) {
	if !strings.HasSuffix(pattern, "/") {
		p.ServeMux.Handle(pattern, caching.Handler(handler))
	}
}

// longestPath is how much of a path an error repeats: it travels in a header.
const longestPath = 200

// otherwise answers a call of a service that there is not in the caller's own
// protocol, counts it, and gives all else to the page.
func otherwise(page http.Handler, count func(protocol string)) http.Handler {
	errorWriter := connecthttp.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && errorWriter.IsSupported(r) {
			count(protocolOf(r))
			path := r.URL.Path[:min(len(r.URL.Path), longestPath)]
			err := connect.Errorf(connect.CodeUnimplemented, "there is no procedure %s here; reflection lists what there is (grpcurl -plaintext %s list)", path, r.Host)
			_ = errorWriter.Write(nowhere{w}, r, err) // an error means that the caller is gone
			return
		}
		page.ServeHTTP(w, r)
	})
}

// protocolOf is the protocol of a call that Connect's error writer can answer.
func protocolOf(r *http.Request) string {
	switch contentType := r.Header.Get("Content-Type"); {
	case strings.HasPrefix(contentType, "application/grpc-web"):
		return connect.ProtocolNameGRPCWeb
	case strings.HasPrefix(contentType, "application/grpc"):
		return connect.ProtocolNameGRPC
	default:
		return connect.ProtocolNameConnect
	}
}

// nowhere answers 404 where Connect's table of codes says 501: it is the address
// that there is not, and the conformance suite wants it said so.
type nowhere struct{ http.ResponseWriter }

func (w nowhere) WriteHeader(status int) {
	if status == http.StatusNotImplemented {
		status = http.StatusNotFound
	}
	w.ResponseWriter.WriteHeader(status)
}

// ErrNotOrigin is the cause of a refusal of [Options.AllowedOrigins].
var ErrNotOrigin = errors.New("is not of the form scheme://host[:port]")

func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || strings.Contains(origin, "*") {
			return fmt.Errorf("allowed origin %q %w, such as https://dash.example.com", origin, ErrNotOrigin)
		}
	}
	return nil
}

// allowOrigins is the CORS middleware for exactly these origins.
func allowOrigins(origins []string) func(http.Handler) http.Handler {
	if len(origins) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: connectcors.AllowedMethods(),
		AllowedHeaders: append(connectcors.AllowedHeaders(), interceptor.RequestIDHeader, "Authorization"),
		ExposedHeaders: append(connectcors.ExposedHeaders(), interceptor.RequestIDHeader),
		MaxAge:         7200, // seconds; the most that browsers keep
	}).Handler
}
