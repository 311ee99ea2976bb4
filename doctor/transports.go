package doctor

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	quichttp "github.com/quic-go/quic-go/http3"

	"github.com/vitals-rpc/vitals/compress"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

// The transports' names.
const (
	http1 = "HTTP/1.1"
	http2 = "HTTP/2"
	http3 = "HTTP/3"
)

// transport is one version of HTTP, with connections of its own.
type transport struct {
	name string
	http http.RoundTripper
	// last is what the latest request was answered with, for explanations.
	mu   sync.Mutex
	last *answer
	// header goes with every request.
	header http.Header
	end    func()
	// altSvc says that an answer offered HTTP/3.
	altSvc bool
}

// transports makes one for each version of HTTP that the target may speak.
func (x *examination) transports() []*transport {
	return []*transport{x.overTCP(http1), x.overTCP(http2)}
}

func (x *examination) overTCP(name string) *transport {
	protocols, alpn := new(http.Protocols), "http/1.1"
	switch {
	case name == http1:
		protocols.SetHTTP1(true)
	case x.secure():
		protocols.SetHTTP2(true)
		alpn = "h2"
	default:
		protocols.SetUnencryptedHTTP2(true)
	}
	over := &http.Transport{Protocols: protocols, TLSHandshakeTimeout: x.Timeout, IdleConnTimeout: time.Minute}
	if x.socket != "" {
		over.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", x.socket)
		}
	}
	if x.secure() {
		over.TLSClientConfig = x.tlsConfig(alpn)
	}
	return &transport{name: name, http: over, header: x.Header, end: over.CloseIdleConnections}
}

// overQUIC is HTTP/3, which servers offer in an answer's Alt-Svc header.
func (x *examination) overQUIC() *transport {
	over := &quichttp.Transport{TLSClientConfig: x.tlsConfig(quichttp.NextProtoH3)}
	return &transport{name: http3, http: over, header: x.Header, end: func() { _ = over.Close() }} // nothing is left to lose
}

// RoundTrip implements http.RoundTripper and remembers the answer.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(t.header) > 0 {
		req = req.Clone(req.Context())
		for name, values := range t.header {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	res, err := t.http.RoundTrip(req)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = nil
	if err == nil {
		t.altSvc = t.altSvc || strings.Contains(res.Header.Get("Alt-Svc"), "h3=")
		t.last = &answer{code: res.StatusCode, status: res.Status, by: res.Header.Get("Server"), contentType: res.Header.Get("Content-Type")}
	}
	return res, err
}

// answer is the head of an HTTP answer, as far as it explains a failure.
type answer struct {
	code                    int
	status, by, contentType string
}

// answered is what the latest request was answered with, or nil.
func (t *transport) answered() *answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

func (t *transport) offersHTTP3() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.altSvc
}

func (t *transport) close() { t.end() }

// protocol is one of those that the connect library speaks.
type protocol struct {
	name    string
	options []connecthttp.Option
	// get: by GET, which only unary calls without side effects know.
	get bool
}

func protocols() []protocol {
	return []protocol{
		{name: "Connect JSON", options: []connecthttp.Option{connecthttp.WithProtoJSON()}},
		{name: "Connect binary"},
		{name: "Connect GET", get: true, options: []connecthttp.Option{connecthttp.WithProtoJSON(), connecthttp.WithHTTPGet()}},
		{name: "gRPC", options: []connecthttp.Option{connecthttp.WithGRPC()}},
		{name: "gRPC-Web", options: []connecthttp.Option{connecthttp.WithGRPCWeb()}},
	}
}

// dial makes a caller of this protocol over this transport.
func (x *examination) dial(t *transport, p protocol, more ...connecthttp.Option) *connect.Client {
	options := append([]connecthttp.Option{connecthttp.WithCompressors(&compress.Gzip{})}, p.options...)
	return connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: t}, x.Target, append(options, more...)...))
}

func diagnostics(c *connect.Client) diagnosticsv1connect.DiagnosticsServiceClient {
	return diagnosticsv1connect.NewDiagnosticsServiceClient(c)
}

func system(c *connect.Client) monitoringv1connect.SystemServiceClient {
	return monitoringv1connect.NewSystemServiceClient(c)
}
