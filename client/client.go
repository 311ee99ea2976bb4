// Package client is the Go library for talking to a Vitals server: typed service
// clients over any of its protocols.
//
//	c, err := client.New("localhost:50051")
//	res, err := c.Monitoring().GetMetric(ctx, &monitoring.MetricRequest{MetricType: "memory"})
//
// Errors are *connect.Error values: read their code with connect.CodeOf.
package client

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/vitals-rpc/vitals/compress"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

// Client talks to one server. It is safe for concurrent use; make it once and
// keep it, for it holds the connections. Close it when done.
type Client struct {
	target  *url.URL
	http    *http.Client
	connect *connect.Client
}

// New makes a client of the server at target: a URL such as
// "https://vitals.example.com" or an address such as "localhost:50051", which
// means http. Nothing is sent until the first call.
//
// By default it speaks the Connect protocol in binary over HTTP/1.1 (http) or
// what TLS negotiates (https), bounds each unary call to 10 seconds, and tries
// calls without side effects up to three times while the server is unavailable.
func New(target string, options ...Option) (*Client, error) {
	u, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	o := defaults()
	for _, option := range options {
		option(&o)
	}
	if err := o.validate(u); err != nil {
		return nil, err
	}
	if o.tls, err = o.trust.apply(o.tls); err != nil {
		return nil, err
	}
	c := &Client{target: u, http: &http.Client{Transport: o.roundTripper(u)}}
	c.connect = connect.NewClient(connecthttp.NewTransport(c.http, u.String(), o.transportOptions()...), o.interceptors()...)
	return c, nil
}

// Target is the URL of the server.
func (c *Client) Target() string { return c.target.String() }

// Close lets go of idle connections. Calls that run are not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

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

func parseTarget(target string) (*url.URL, error) {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("server %q is neither a URL such as https://vitals.example.com nor an address such as localhost:50051", target)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
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
	h2c       bool
	tls       *tls.Config
	trust     trust
	http3     bool
	timeout   time.Duration
	tries     int
	headers   http.Header
	transport http.RoundTripper
}

func defaults() options {
	return options{protocol: Connect, timeout: 10 * time.Second, tries: 3, headers: http.Header{}}
}

// WithProtocol chooses the RPC protocol. Default: [Connect].
func WithProtocol(p Protocol) Option { return func(o *options) { o.protocol = p } }

// WithJSON sends and receives JSON in place of binary.
func WithJSON() Option { return func(o *options) { o.json = true } }

// WithGet makes calls without side effects by HTTP GET, so that caches may
// answer them. It takes effect with the Connect protocol only.
func WithGet() Option { return func(o *options) { o.get = true } }

// WithGzip compresses requests. Responses are compressed without it, for the
// client always accepts that.
func WithGzip() Option { return func(o *options) { o.gzip = true } }

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

// WithRetry sets how often a call without side effects is tried, the first time
// included, while the server is unavailable. 1: never again. Default: 3.
func WithRetry(tries int) Option { return func(o *options) { o.tries = max(1, tries) } }

// WithRoundTripper sends requests through rt in place of a transport of the
// client's own; the TLS and h2c options have no effect then.
func WithRoundTripper(rt http.RoundTripper) Option { return func(o *options) { o.transport = rt } }

func (o *options) validate(u *url.URL) error {
	if _, err := ParseProtocol(string(o.protocol)); err != nil {
		return err
	}
	if o.http3 && u.Scheme != "https" {
		return fmt.Errorf("HTTP/3 has TLS always, but server %q is plain http: write https://%s", u, u.Host)
	}
	if (o.tls != nil || o.trust.given()) && u.Scheme != "https" {
		return fmt.Errorf("TLS is configured, but server %q is plain http: write https://%s", u, u.Host)
	}
	return nil
}

func (o *options) roundTripper(u *url.URL) http.RoundTripper {
	if o.transport != nil {
		return o.transport
	}
	if o.http3 {
		return explainTLS(&overHTTP3{config: o.tls}, o.tls)
	}
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
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = protocols
	t.TLSClientConfig = o.tls
	// A server that is gone without a word is noticed by pings, also under a
	// stream on which nothing comes.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return explainTLS(t, o.tls)
}

func (o *options) transportOptions() []connecthttp.Option {
	opts := []connecthttp.Option{connecthttp.WithCompressors(&compress.Gzip{})}
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
