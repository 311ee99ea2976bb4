// Package access stands between callers and everything that the server has: it
// finds out who a caller is before any payload is read, and lets pass what the
// caller's role may do. What an RPC asks for is declared in its schema, and a
// plain route's role beside the route; there is nothing in between.
package access

import (
	"context"
	"log/slog"
	"net"
	"net/http"
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

// connection is what the HTTP connection tells of a caller, for transports that
// pass on the headers alone.
type connection struct {
	request   *http.Request
	onHost    bool // it came in at an address of this machine's own
	forwarded bool // something says that it was passed on, trusted or not
}

type connectionKey struct{}

// Connection is the middleware that notes by what connection a request came. It
// goes around everything, what removes headers of proxies included.
func (g *Guard) Connection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &connection{request: r, onHost: isOnHost(r), forwarded: isForwarded(r)}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, c)))
	})
}

// isOnHost reports whether the connection came in at a loopback address or a Unix
// socket.
func isOnHost(r *http.Request) bool {
	switch addr := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UDPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// refuse counts and returns an error.
func (g *Guard) refuse(code connect.Code, text string) *connect.Error {
	g.refused.WithLabelValues(code.String()).Inc()
	return connect.NewError(code, text)
}
