// Package server is what answers: it wires live state, health, the services and
// their transports into one http.Handler, listens, and drains when told to stop.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/access"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/grpc"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/ingest"
	"github.com/vitals-rpc/vitals/server/interceptor"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/live"
	"github.com/vitals-rpc/vitals/server/loglimit"
	"github.com/vitals-rpc/vitals/server/peer"
	"github.com/vitals-rpc/vitals/server/rpc"
	"github.com/vitals-rpc/vitals/server/store"
)

// Defaults of [Options].
const (
	DefaultMaxMessageBytes   = 4 << 20
	DefaultMaxStreams        = 10_000
	DefaultMaxStreamsPerConn = 1_000
	DefaultMaxStreamAge      = 24 * time.Hour
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout       = 3 * time.Minute
	DefaultSendTimeout       = 30 * time.Second
	DefaultReadTimeout       = 30 * time.Second
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
	// Logger receives the server's records, of each kind no more than a hundred a
	// second; see package loglimit. Default: slog.Default().
	Logger *slog.Logger
	// Page answers all that is no other route. Default: 404.
	Page http.Handler
	// Services registers further services on the server, which are called in
	// every protocol behind the same interceptors and limits. Default: none.
	Services func(calls *connect.Server)
	// History says where history is kept and for how long; its Dir is needed,
	// and holds all else that the server keeps. Its Logger and Registerer are
	// the server's.
	History store.Options
	// Roles are those that procedures ask for which Services registers, where their
	// schema does not say it. By procedure, such as /package.Service/Method.
	Roles map[string]account.Role
	// Accounts knows who may call. The server closes it in the end, and when New
	// fails. Default: accounts in a file of the data folder.
	Accounts *account.Directory
	// AnonymousViewer lets callers without a token read.
	AnonymousViewer bool
	// InsecureAnonymous lets callers without a token read, report and change
	// settings.
	InsecureAnonymous bool
	// CertificateRoles gives roles to client certificates that TLS has verified.
	CertificateRoles []access.CertificateRole
	// AllowedHosts are the host names by which callers may reach the server,
	// beside localhost, addresses, Hostname and the operating system's host name;
	// "*.example.com" means all below that domain.
	AllowedHosts []string
	// MaxHosts limits how many hosts may report, MaxSeriesPerHost and
	// MaxSampleRate each of them; see ingest.Options.
	MaxHosts, MaxSeriesPerHost, MaxSampleRate int
	// AllowedOrigins are the origins (scheme://host[:port]) whose pages may call
	// the server from a browser, beside its own. Default: none.
	AllowedOrigins []string
	// TrustedProxies may say by X-Forwarded-For or Forwarded who calls. Default:
	// none.
	TrustedProxies peer.Proxies

	// Admission bounds what each caller may take of the server, and all together.
	Admission admission.Options
	// MaxMessageBytes is the largest message that is read. Default 4 MiB.
	MaxMessageBytes int
	// MaxStreams is how many streaming calls may run at once. Default 10,000.
	MaxStreams int
	// MaxStreamsPerConn is how many calls one HTTP/2 connection may run at once.
	// Default 1,000.
	MaxStreamsPerConn int
	// MaxStreamAge is how long a streaming call may run; it ends with
	// UNAVAILABLE then, and the caller opens it again. Default 24 h.
	MaxStreamAge time.Duration
	// ReadHeaderTimeout bounds the reading of a request's head. Default 10 s.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection may stand without a call. Default
	// 3 min.
	IdleTimeout time.Duration
	// ReadTimeout is how long the one message of a call may take to arrive; the
	// next one of a client's stream has ten times that. Default 30 s.
	ReadTimeout time.Duration
	// SendTimeout is how long one write may wait for a reader that does not
	// read. Default 30 s.
	SendTimeout time.Duration
	// Heartbeat is how long a live stream stays quiet before it says that it is
	// there, at most 30 s. Default 15 s.
	Heartbeat time.Duration
	// ShutdownTimeout bounds the drain. Default 10 s.
	ShutdownTimeout time.Duration
	// MaxConnectionAge is how long an HTTP/2 connection may last before its client
	// is asked to open another, a tenth more or less, and given a minute to end its
	// calls; it makes balancers in front of several servers even. For [OwnHTTP2]
	// alone. Default: no limit.
	MaxConnectionAge time.Duration
	// HTTP2 says who serves HTTP/2. Default [OwnHTTP2].
	HTTP2 HTTP2
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
	o.Logger = slog.New(loglimit.New(o.Logger.Handler(), account.AuditMessage))
	if o.Page == nil {
		o.Page = http.NotFoundHandler()
	}
	setDefault(&o.MaxMessageBytes, DefaultMaxMessageBytes)
	setDefault(&o.MaxStreams, DefaultMaxStreams)
	setDefault(&o.MaxStreamsPerConn, DefaultMaxStreamsPerConn)
	setDefault(&o.MaxStreamAge, DefaultMaxStreamAge)
	setDefault(&o.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	setDefault(&o.IdleTimeout, DefaultIdleTimeout)
	setDefault(&o.ReadTimeout, DefaultReadTimeout)
	setDefault(&o.SendTimeout, DefaultSendTimeout)
	setDefault(&o.ShutdownTimeout, DefaultShutdownTimeout)
	setDefault(&o.HTTP2, OwnHTTP2)
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server answers callers. Make one with [New].
type Server struct {
	opts      Options
	started   time.Time
	hub       *live.Hub
	store     *store.Store
	fleet     *fleet.Registry
	door      *ingest.Door
	health    *health.Registry
	streams   *interceptor.Streams
	admission *interceptor.Admission
	metrics   *prometheus.Registry
	calls     *interceptor.Metrics
	// http2Errors are by name.
	http2Errors *prometheus.CounterVec
	handler     http.Handler
	direct      *grpc.Transport // beside handler, for what needs no http.Request
	guard       *access.Guard
	// connections are those of the listeners that are served on; nil before.
	connections atomic.Pointer[[]*listen.Connections]

	stopAccounts context.CancelFunc
	accountsDone chan struct{}
}

// New wires a server and opens its history. It listens to nothing until
// [Server.Run]; close it in the end.
func New(ctx context.Context, opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err == nil {
		err = checkOrigins(opts.AllowedOrigins)
	}
	if err != nil { // before anything is opened
		return nil, errors.Join(err, opts.closeAccounts())
	}
	s := &Server{
		opts:    opts,
		started: time.Now(),
		hub:     live.NewHub(),
		health:  &health.Registry{},
		streams: interceptor.NewStreams(opts.MaxStreams, opts.MaxStreamAge),
		metrics: prometheus.NewRegistry(),
	}
	s.admission = &interceptor.Admission{
		Gate: admission.New(opts.Admission), Caller: callerName, Address: callerAddress, Alone: isAlone, Told: rpc.Told,
		MaxMessageBytes: opts.MaxMessageBytes, ReadTimeout: opts.ReadTimeout,
	}
	if err := s.openAccounts(ctx); err != nil {
		return nil, err
	}
	if err := s.openHistory(ctx); err != nil {
		return nil, errors.Join(err, s.closeAccounts())
	}
	s.door = ingest.New(ingest.Options{
		History: s.store, Live: s.hub, Fleet: s.fleet, Logger: opts.Logger,
		MaxHosts: opts.MaxHosts, MaxSeriesPerHost: opts.MaxSeriesPerHost, MaxRate: opts.MaxSampleRate,
	})
	s.calls = interceptor.NewMetrics(s.metrics)
	s.registerMetrics()
	s.registerHealth()
	if s.handler, err = s.routes(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// callerName is by what a caller is told from others: its name if it has one, or
// its address.
func callerName(ctx context.Context) string {
	caller := account.CallerFrom(ctx)
	if caller.By != account.Anonymous && caller.Name != "" {
		return caller.Name
	}
	return callerAddress(ctx)
}

// callerAddress is the address of a caller. Nothing for those who need no bounds:
// programs on this machine, at whose head a proxy may stand for everyone.
func callerAddress(ctx context.Context) string {
	p, ok := peer.From(ctx)
	if !ok || mayStandForAll(p.IP) {
		return ""
	}
	return p.IP.String()
}

// isAlone reports whether nobody else than the caller is at the other end of its
// connection, which a proxy would be.
func isAlone(ctx context.Context) bool {
	p, ok := peer.From(ctx)
	return ok && !p.Proxied && !mayStandForAll(p.IP)
}

// mayStandForAll reports addresses by which programs of this machine call, among
// which a proxy may be. A Unix socket has none.
func mayStandForAll(ip netip.Addr) bool {
	return !ip.IsValid() || ip == netip.IPv6Loopback() || ip == netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// openHistory opens what is kept in the data folder.
func (s *Server) openHistory(ctx context.Context) (err error) {
	opts := s.opts.History
	opts.Logger, opts.Registerer = s.opts.Logger, s.metrics
	if s.store, err = store.Open(ctx, opts); err != nil {
		return err
	}
	if s.fleet, err = fleet.Open(fleet.Options{Dir: opts.Dir, Logger: s.opts.Logger}); err != nil {
		return errors.Join(err, s.store.Close())
	}
	return nil
}

// Close closes what New opened. What was acknowledged is on disk with or without
// it; with it the next start is faster.
func (s *Server) Close() error {
	return errors.Join(s.fleet.Close(), s.store.Close(), s.closeAccounts())
}

func (s *Server) registerHealth() {
	s.health.Add(health.API, func() error { return nil })
	s.health.Add(health.Collector, s.checkCollector)
	s.health.Add(health.Store, s.store.Health)
	s.health.Add(health.Live, func() error { return nil })
}

// Hostname is the name of the host that the server runs on.
func (s *Server) Hostname() string { return s.opts.Hostname }

// Introduce says what is known of the host that the server runs on.
func (s *Server) Introduce(who fleet.Reporter) { s.fleet.Introduce(who) }

// LastSeen is when the newest sample was taken of the host that the server runs on,
// in this run of the server or those before; the zero time where there was none.
func (s *Server) LastSeen() time.Time {
	seen, _ := s.fleet.LastSeen(s.opts.Hostname)
	return seen
}

// Report takes in samples past all transports, as of the host that the server
// runs on. All must be of one host. The slice may be used again when it returns.
//
// Errors: *[RefusedError]; otherwise nothing is promised of the samples and they
// should be reported again, as with store.ErrFull, with which they are live all the
// same.
func (s *Server) Report(ctx context.Context, samples []metric.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	receipt, err := s.door.Write(ctx, samples[0].Series.Host, samples)
	if err == nil && receipt.Rejected > 0 {
		return &RefusedError{Count: receipt.Rejected, Series: receipt.Rejections[0].Series, Reason: receipt.Rejections[0].Reason}
	}
	return err
}

// RefusedError says that samples were refused for good; the others are stored.
type RefusedError struct {
	Count uint64
	// Series is the first of the refused, in PromQL's form.
	Series string
	// Reason is why that one was.
	Reason error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d samples were refused; the first is of %s: %v", e.Count, e.Series, e.Reason)
}

func (e *RefusedError) Unwrap() error { return e.Reason }

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
func (s *Server) Run(ctx context.Context, listeners ...*listen.Listener) error {
	srv := s.httpServer()
	h3 := s.overHTTP3(configOfQUIC(listeners))
	s.countConnections(listeners)
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving on %s: %w", l.Addr(), err)
			}
			return nil
		})
		if l.QUIC != nil {
			group.Go(func() error { return h3.serve(l) })
		}
	}
	group.Go(func() error {
		<-ctx.Done()
		s.drain(srv, h3)
		return nil
	})
	return group.Wait()
}

func (s *Server) drain(srv *http.Server, h3 *overHTTP3) {
	s.opts.Logger.Info("stopping", "streams_open", s.streams.Open(), "timeout", s.opts.ShutdownTimeout)
	s.health.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.ShutdownTimeout)
	defer cancel()
	srv.RegisterOnShutdown(func() { s.streams.Stop(health.ErrStopping) })
	var group errgroup.Group
	group.Go(func() error { return srv.Shutdown(ctx) })
	group.Go(func() error { return h3.shutdown(ctx) })
	if err := group.Wait(); err != nil {
		s.opts.Logger.Warn("cut what was still open", "timeout", s.opts.ShutdownTimeout)
		_ = srv.Close() // the listeners are closed already; there is no more to do
	}
	s.opts.Logger.Info("stopped")
}
