// Package access stands between callers and everything that the server has: it
// finds out who a caller is before any payload is read, and lets pass what the
// caller's role may do. What an RPC asks for is declared in its schema, and a
// plain route's role beside the route; there is nothing in between.
package access

import (
	"log/slog"
	"sync"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vitals-rpc/vitals/server/account"
)

// Options configures a [Guard].
type Options struct {
	// Directory knows the accounts.
	Directory *account.Directory
	// Logger hears of refusals. Default: slog.Default().
	Logger *slog.Logger
	// Registerer has the metrics of refusals, if not nil.
	Registerer prometheus.Registerer
	// AnonymousViewer lets callers without a token read.
	AnonymousViewer bool
	// InsecureAnonymous lets callers without a token read, report and change
	// settings.
	InsecureAnonymous bool
	// Certificates gives roles to client certificates that TLS has verified.
	Certificates []CertificateRole
	// Hosts are the names by which callers may reach the server, beside localhost
	// and addresses. "*.example.com" means every name below that domain.
	Hosts []string
	// Origins are those whose pages may call, beside the server's own.
	Origins []string
}

// Guard decides who may do what. Make one with [New]; its methods are safe for
// concurrent use.
type Guard struct {
	opts     Options
	required map[string]account.Role // by procedure; set once by Declare
	refused  *prometheus.CounterVec

	mu      sync.Mutex
	streams map[*openStream]struct{}
}

// New makes a guard. Nothing may be called before [Guard.Declare].
func New(opts Options) *Guard {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	g := &Guard{
		opts:    opts,
		streams: map[*openStream]struct{}{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vitals_refused_total",
			Help: "Calls that were refused for who the caller is: unauthenticated, permission_denied, host (unknown Host header) and origin.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{"unauthenticated", "permission_denied", "host", "origin"} {
		g.refused.WithLabelValues(reason)
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(g.refused)
	}
	opts.Directory.OnChange(g.review)
	return g
}

// refuse counts and returns an error.
func (g *Guard) refuse(code connect.Code, text string) *connect.Error {
	g.refused.WithLabelValues(code.String()).Inc()
	return connect.NewError(code, text)
}
