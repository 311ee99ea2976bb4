// Package server is what answers: it wires live state, health, the services and
// their transports into one http.Handler, listens, and drains when told to stop.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/interceptor"
	"github.com/vitals-rpc/vitals/server/live"
)

// Defaults of [Options].
const (
	DefaultMaxMessageBytes   = 4 << 20
	DefaultMaxStreams        = 10_000
	DefaultMaxStreamsPerConn = 1_000
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout       = 3 * time.Minute
	DefaultSendTimeout       = 30 * time.Second
	DefaultShutdownTimeout   = 10 * time.Second
)

// staleAfter is how old the newest sample of the server's own host may be before
// the collector counts as failed.
const staleAfter = 10 * time.Second

// Options configures a [Server]. The zero value of each field means its default.
type Options struct {
	// Hostname is the name of the host that the server runs on, which an empty
	// hostname in a request means. Default: the operating system's host name.
	Hostname string
	// Version is what the server says of itself. Default: "dev".
	Version string
	// Logger receives the server's records. Default: slog.Default().
	Logger *slog.Logger
	// Page answers all that is no other route. Default: 404.
	Page http.Handler
	// AllowedOrigins are the origins (scheme://host[:port]) whose pages may call
	// the server from a browser, beside its own. Default: none.
	AllowedOrigins []string

	// MaxMessageBytes is the largest message that is read. Default 4 MiB.
	MaxMessageBytes int
	// MaxStreams is how many streaming calls may run at once. Default 10,000.
	MaxStreams int
	// MaxStreamsPerConn is how many calls one HTTP/2 connection may run at once.
	// Default 1,000.
	MaxStreamsPerConn int
	// ReadHeaderTimeout bounds the reading of a request's head. Default 10 s.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection may stand without a call. Default
	// 3 min.
	IdleTimeout time.Duration
	// SendTimeout is how long one write may wait for a reader that does not
	// read. Default 30 s.
	SendTimeout time.Duration
	// ShutdownTimeout bounds the drain. Default 10 s.
	ShutdownTimeout time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("this machine's host name cannot be read (%w); name it yourself with --hostname", err)
		}
		o.Hostname = name
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Page == nil {
		o.Page = http.NotFoundHandler()
	}
	setDefault(&o.MaxMessageBytes, DefaultMaxMessageBytes)
	setDefault(&o.MaxStreams, DefaultMaxStreams)
	setDefault(&o.MaxStreamsPerConn, DefaultMaxStreamsPerConn)
	setDefault(&o.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	setDefault(&o.IdleTimeout, DefaultIdleTimeout)
	setDefault(&o.SendTimeout, DefaultSendTimeout)
	setDefault(&o.ShutdownTimeout, DefaultShutdownTimeout)
	return o, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Server answers callers. Make one with [New].
type Server struct {
	opts    Options
	hub     *live.Hub
	health  *health.Registry
	streams *interceptor.Streams
	metrics *prometheus.Registry
	handler http.Handler
}

// New wires a server. It listens to nothing until [Server.Run].
func New(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:    opts,
		hub:     live.NewHub(),
		health:  &health.Registry{},
		streams: interceptor.NewStreams(opts.MaxStreams),
		metrics: prometheus.NewRegistry(),
	}
	s.metrics.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "grpc_streams_open", Help: "Streaming calls that run now.",
		}, func() float64 { return float64(s.streams.Open()) }),
	)
	s.health.Add(health.API, func() error { return nil })
	s.health.Add(health.Collector, s.checkCollector)
	s.health.Add(health.Live, func() error { return nil })
	s.handler, err = s.routes()
	return s, err
}

// Hostname is the name of the host that the server runs on.
func (s *Server) Hostname() string { return s.opts.Hostname }

// Publish takes in samples of the host that the server runs on. The slice may be
// used again when it returns.
func (s *Server) Publish(samples []metric.Sample) { s.hub.Publish(samples) }

func (s *Server) checkCollector() error {
	seen, ok := s.hub.LastSeen(s.opts.Hostname)
	if !ok {
		return errors.New("no sample has been taken yet")
	}
	if age := time.Since(time.UnixMilli(seen)); age > staleAfter {
		return fmt.Errorf("the newest sample is %s old", age.Round(time.Second))
	}
	return nil
}

// Handler is the one handler that answers everything.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves on the listeners, which it owns, until ctx ends, and then drains:
//
//   - health turns to stopping, so that load balancers look elsewhere,
//   - the listeners close,
//   - streams end with UNAVAILABLE and the reason, unary calls finish,
//   - what is still open after the shutdown timeout is cut.
//
// It returns nil after a drain, an error when a listener failed.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	srv := s.httpServer()
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		s.drain(srv)
		return nil
	})
	return group.Wait()
}

func (s *Server) drain(srv *http.Server) {
	s.opts.Logger.Info("stopping", "streams_open", s.streams.Open(), "timeout", s.opts.ShutdownTimeout)
	s.health.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.ShutdownTimeout)
	defer cancel()
	srv.RegisterOnShutdown(func() { s.streams.Stop(health.ErrStopping) })
	if err := srv.Shutdown(ctx); err != nil {
		s.opts.Logger.Warn("cut what was still open", "timeout", s.opts.ShutdownTimeout)
		_ = srv.Close() // the listeners are closed already; there is no more to do
	}
	s.opts.Logger.Info("stopped")
}

func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           s.handler,
		Protocols:         protocols,
		ReadHeaderTimeout: s.opts.ReadHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: s.opts.MaxStreamsPerConn,
			// A peer that is gone without a word is noticed by pings.
			SendPingTimeout:  30 * time.Second,
			PingTimeout:      15 * time.Second,
			WriteByteTimeout: s.opts.SendTimeout,
		},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
}
