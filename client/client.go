// Package client is the Go library for talking to Vitals servers: typed service
// clients over any of its protocols, with one server or several.
//
//	c, err := client.New("localhost:50051")
//	res, err := c.Monitoring().GetMetric(ctx, &monitoring.MetricRequest{MetricType: "memory"})
//
// Errors are *connect.Error values: read their code with connect.CodeOf.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/vitals-rpc/vitals/client/balance"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/gen/users/usersconnect"
	"github.com/vitals-rpc/vitals/gen/users/v1/usersv1connect"
)

// Client talks to a server, or to several that stand for one another. It is safe
// for concurrent use; make it once and keep it, for it holds the connections. Close
// it when done.
type Client struct {
	targets  []string
	balancer *balance.Balancer
	connect  *connect.Client
}

// New makes a client of the server at target: a URL such as
// "https://vitals.example.com", an address such as "localhost:50051", which means
// http, a unix socket such as "unix:/run/vitals.sock", or a name that stands for several servers, such as
// "dns:///vitals.example.com:50051" (see [balance.ParseTarget]). Nothing is sent
// until the first call.
//
// By default it speaks the Connect protocol in binary over HTTP/1.1 (http) or
// what TLS negotiates (https), bounds each unary call to 10 seconds, and tries
// calls without side effects up to three times while the server is unavailable.
func New(target string, options ...Option) (*Client, error) {
	return NewBalanced([]string{target}, options...)
}

// NewBalanced is [New] for several servers that stand for one another. Each call
// goes to one that is well, by the policy of [WithPolicy]; a call that may be made
// twice and fails goes to another one within its deadline. A server that fails is
// left out until it answers its health checks ([WithHealthCheck]) again.
func NewBalanced(targets []string, options ...Option) (*Client, error) {
	o := defaults()
	for _, option := range options {
		option(&o)
	}
	if len(targets) == 0 {
		return nil, errors.New("no server is named; name one such as localhost:50051")
	}
	c := &Client{}
	opts := balance.Options{
		Policy: o.policy, Connect: o.connect, CheckInterceptors: []connect.ClientInterceptor{withHeaders(o.headers)},
		CheckInterval: o.check.Interval, CheckTimeout: o.check.Timeout,
		MinBackoff: o.check.MinBackoff, MaxBackoff: o.check.MaxBackoff, LookupInterval: o.lookup,
	}
	for _, target := range targets {
		source, err := balance.ParseTarget(target, o.resolver)
		if err != nil {
			return nil, err
		}
		u := source.Base()
		if err := o.validate(u); err != nil {
			return nil, err
		}
		opts.Sources = append(opts.Sources, source)
		c.targets = append(c.targets, u.String())
	}
	var err error
	if o.tls, err = o.trust.apply(o.tls); err != nil {
		return nil, err
	}
	c.balancer = balance.New(opts)
	c.connect = connect.NewClient(c.balancer, o.interceptors()...)
	return c, nil
}

// Users is the classic users service.
func (c *Client) Users() usersconnect.UserServiceClient {
	return usersconnect.NewUserServiceClient(c.connect)
}

// Accounts keeps users, roles and tokens, and tells who the caller is.
func (c *Client) Accounts() usersv1connect.AccountServiceClient {
	return usersv1connect.NewAccountServiceClient(c.connect)
}

// Target is the URL of the server, or those of all with commas between.
func (c *Client) Target() string { return strings.Join(c.targets, ", ") }

// Servers tells which servers there are and how they do; none before a first call
// where their names have to be looked up.
func (c *Client) Servers() []balance.Status { return c.balancer.Servers() }

// Disconnect lets go of idle connections, which may be as dead as one that failed.
// Calls that run are not touched.
func (c *Client) Disconnect() { c.balancer.Disconnect() }

// Close ends the checks of the servers and lets go of idle connections. Calls that
// run are not touched.
func (c *Client) Close() { c.balancer.Close() }

// Monitoring is the classic service.
func (c *Client) Monitoring() monitoringconnect.MonitoringServiceClient {
	return monitoringconnect.NewMonitoringServiceClient(c.connect)
}

// Ingest takes samples in: what agents report, and custom metrics.
func (c *Client) Ingest() monitoringv1connect.IngestServiceClient {
	return monitoringv1connect.NewIngestServiceClient(c.connect)
}

// Live sends samples as they come in. Its Watch needs HTTP/2: [WithH2C] for an
// http target.
func (c *Client) Live() monitoringv1connect.LiveServiceClient {
	return monitoringv1connect.NewLiveServiceClient(c.connect)
}

// Query answers what there is and what there was.
func (c *Client) Query() monitoringv1connect.QueryServiceClient {
	return monitoringv1connect.NewQueryServiceClient(c.connect)
}

// System tells of the server itself.
func (c *Client) System() monitoringv1connect.SystemServiceClient {
	return monitoringv1connect.NewSystemServiceClient(c.connect)
}

// Diagnostics has answers that are known beforehand, in each kind of RPC. Its
// Echo needs HTTP/2: [WithH2C] for an http target.
func (c *Client) Diagnostics() diagnosticsv1connect.DiagnosticsServiceClient {
	return diagnosticsv1connect.NewDiagnosticsServiceClient(c.connect)
}

// Protocol is an RPC protocol that the server speaks.
type Protocol string

// The protocols.
const (
	// Connect works over any HTTP, through any proxy.
	Connect Protocol = "connect"
	// GRPC needs HTTP/2 from end to end.
	GRPC Protocol = "grpc"
	// GRPCWeb is gRPC for where trailers do not pass.
	GRPCWeb Protocol = "grpcweb"
)

// ParseProtocol returns the protocol of that name.
func ParseProtocol(name string) (Protocol, error) {
	switch p := Protocol(name); p {
	case Connect, GRPC, GRPCWeb:
		return p, nil
	}
	return "", fmt.Errorf("protocol %q is none of connect, grpc and grpcweb", name)
}

// Option changes a default of [New].
type Option func(*options)

type options struct {
	protocol  Protocol
	json      bool
	get       bool
	gzip      bool
	plain     bool
	h2c       bool
	tls       *tls.Config
	trust     trust
	http3     bool
	timeout   time.Duration
	tries     int
	headers   http.Header
	token     func(context.Context) (string, error)
	transport http.RoundTripper
	policy    balance.Policy
	check     HealthCheck
	resolver  balance.Resolver
	lookup    time.Duration
}

func defaults() options {
	return options{protocol: Connect, timeout: 10 * time.Second, tries: 3, headers: http.Header{}, resolver: net.DefaultResolver}
}

// WithProtocol chooses the RPC protocol. Default: [Connect].
func WithProtocol(p Protocol) Option { return func(o *options) { o.protocol = p } }

// WithJSON sends and receives JSON in place of binary.
func WithJSON() Option { return func(o *options) { o.json = true } }

// WithGet makes calls without side effects by HTTP GET, so that caches may
// answer them. It takes effect with the Connect protocol only.
func WithGet() Option { return func(o *options) { o.get = true } }

// WithGzip compresses requests, and with it answers. Without it the answers of
// servers on other machines are compressed, and those of a server on this one (at
// localhost, a loopback address or a unix socket) are not: name it where such an
// address is the near end of a tunnel.
func WithGzip() Option { return func(o *options) { o.gzip, o.plain = true, false } }

// WithoutGzip compresses nothing, neither requests nor answers, wherever the server
// is: for a network that is faster than packing.
func WithoutGzip() Option { return func(o *options) { o.gzip, o.plain = false, true } }

// WithH2C speaks HTTP/2 without TLS to an http target, with prior knowledge.
// gRPC always does. Without it the other protocols use HTTP/1.1 there, which
// passes more proxies and cannot stream both ways.
func WithH2C() Option { return func(o *options) { o.h2c = true } }

// WithTLS sets the TLS configuration for an https target, of which the client
// takes ownership; [WithCA], [WithFingerprint] and [WithClientCertificate] add to
// it. Default: TLS 1.2 and up, with the system's authorities.
func WithTLS(config *tls.Config) Option { return func(o *options) { o.tls = config } }

// WithTimeout bounds each unary call, all its tries together, where the call's
// context has no earlier deadline. Zero: no bound. Default: 10 seconds. Streams
// are bounded by their context alone.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithHeader adds a header to each request.
func WithHeader(name, value string) Option {
	return func(o *options) { o.headers.Add(name, value) }
}

// WithToken sends a token with each call, as "Authorization: Bearer ...". Over
// plain http anyone on the way can read it: use https to whatever is not this
// machine.
func WithToken(token string) Option {
	return WithTokenSource(func(context.Context) (string, error) { return token, nil })
}

// WithTokenSource is WithToken for tokens that change: source is asked before
// each call, by many goroutines at once, with the call's context. Without a token
// ("") the call goes out without; an error ends the call.
func WithTokenSource(source func(ctx context.Context) (token string, err error)) Option {
	return func(o *options) { o.token = source }
}

// WithRetry sets how often a call without side effects is tried, the first time
// included, while the server is unavailable. 1: never again. Default: 3.
func WithRetry(tries int) Option { return func(o *options) { o.tries = max(1, tries) } }

// WithRoundTripper sends requests through rt in place of a transport of the
// client's own; the TLS and h2c options have no effect then.
func WithRoundTripper(rt http.RoundTripper) Option { return func(o *options) { o.transport = rt } }

// WithPolicy says which of several servers gets a call. Default: [balance.First].
func WithPolicy(p balance.Policy) Option { return func(o *options) { o.policy = p } }

// HealthCheck says how several servers are watched, by grpc.health.v1. The zero
// value of each field is its default.
type HealthCheck struct {
	// Interval is how often each is asked. Negative: never; then a server that
	// failed is tried again by a call. Default: 5 seconds, give or take a fifth.
	Interval time.Duration
	// Timeout is how long the answer may take. A server that lets two of them pass
	// in a row is dead, and the calls that wait for it go elsewhere. Default: 1
	// second.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound how long a server that failed is left out
	// before it is asked again; the time doubles with each failure in a row.
	// Defaults: half a second, 30 seconds.
	MinBackoff, MaxBackoff time.Duration
}

// WithHealthCheck says how several servers are watched. A client of one server does
// not watch it.
func WithHealthCheck(h HealthCheck) Option { return func(o *options) { o.check = h } }

// WithResolver looks names up by r in place of the system's resolver: those of
// dns:/// and srv:/// targets.
func WithResolver(r balance.Resolver) Option { return func(o *options) { o.resolver = r } }

// WithLookupInterval says how often the names of dns:/// and srv:/// targets are
// looked up again. They are at once, too, when a server fails. Default: 30 seconds,
// give or take a fifth.
func WithLookupInterval(d time.Duration) Option { return func(o *options) { o.lookup = d } }

func (o *options) validate(u *url.URL) error {
	if _, err := ParseProtocol(string(o.protocol)); err != nil {
		return err
	}
	if _, err := balance.ParsePolicy(string(o.policy)); err != nil && o.policy != "" {
		return err
	}
	if strings.HasSuffix(u.Scheme, "https") {
		return nil
	}
	if u.Scheme == "unix" && (o.http3 || o.tls != nil || o.trust.given()) {
		return fmt.Errorf("server %q is a unix socket, on which there is no TLS", u)
	}
	secure := "https://" + u.Host
	if u.Host == "" { // it stands for several servers
		secure = u.Scheme + "+https://" + u.Path
	}
	if o.http3 {
		return fmt.Errorf("HTTP/3 has TLS always, but server %q is plain http: write %s", u, secure)
	}
	if o.tls != nil || o.trust.given() {
		return fmt.Errorf("TLS is configured, but server %q is plain http: write %s", u, secure)
	}
	return nil
}

// connect makes the way to one server.
func (o *options) connect(a balance.Address) balance.Conn {
	hc := &http.Client{Transport: balance.Observe(o.roundTripper(a))}
	return balance.Conn{
		Transport:  connecthttp.NewTransport(hc, a.URL.String(), o.transportOptions(a)...),
		Disconnect: hc.CloseIdleConnections,
	}
}

func (o *options) roundTripper(a balance.Address) http.RoundTripper {
	if o.transport != nil {
		return balance.Redirect(o.transport, a)
	}
	if o.http3 {
		return explainTLS(&overHTTP3{config: o.tls, dial: a.Dial}, o.tls)
	}
	u := a.URL
	protocols := new(http.Protocols)
	switch {
	case u.Scheme == "https":
		protocols.SetHTTP1(o.protocol != GRPC)
		protocols.SetHTTP2(true)
	case o.h2c || o.protocol == GRPC:
		protocols.SetUnencryptedHTTP2(true)
	default:
		protocols.SetHTTP1(true)
	}
	// Its own, with the values of http.DefaultTransport, which a program may have
	// replaced by what is no *http.Transport.
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:        100,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     o.tls,
		Protocols:           protocols,
		// A server that is gone without a word is noticed by pings, also under a
		// stream on which nothing comes.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if a.Dial != "" {
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, a.Dial) }
		t.Proxy = nil // it would be asked for the name
	}
	if a.Socket != "" {
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", a.Socket) }
		t.Proxy = nil
	}
	return explainTLS(t, o.tls)
}

func (o *options) transportOptions(a balance.Address) []connecthttp.Option {
	opts := []connecthttp.Option{connecthttp.WithCompressors(o.compressors(a)...)}
	switch o.protocol {
	case GRPC:
		opts = append(opts, connecthttp.WithGRPC())
	case GRPCWeb:
		opts = append(opts, connecthttp.WithGRPCWeb())
	}
	if o.json {
		opts = append(opts, connecthttp.WithProtoJSON())
	}
	if o.get {
		opts = append(opts, connecthttp.WithHTTPGet(), connecthttp.WithHTTPGetMaxURLSize(4096, true))
	}
	if o.gzip {
		opts = append(opts, connecthttp.WithSendGzip())
	}
	return opts
}
