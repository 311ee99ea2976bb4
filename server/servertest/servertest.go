// Package servertest gives tests a real Vitals server: on a loopback port, over
// real HTTP/1.1 and HTTP/2, logging into the test and gone when the test ends.
package servertest

import (
	"context"
	"flag"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/agent/collect"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/listen"
)

// Hostname is the name of the server's own host where a test names no other.
const Hostname = "server01"

// Patience bounds every wait of a test for something that ought to come soon.
const Patience = 15 * time.Second

// The whole suite runs with either implementation of HTTP/2: go test ./server
// -vitals.http2=std.
var serveHTTP2 = server.OwnHTTP2

func init() {
	flag.Var(&serveHTTP2, "vitals.http2", "who serves HTTP/2 in tests that do not say: own or std")
}

// Server is a running server.
type Server struct {
	*server.Server
	// Addr is host:port, URL the same with http:// before it.
	Addr, URL string
	// Log is what the server has logged.
	Log *Log

	tb      testing.TB
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
	started atomic.Int64 // the millisecond stamped last, so that samples have an order
}

// NewServer starts a server with these options, empty of samples, on a free port
// of loopback without TLS. It is stopped, and waited for, when the test ends.
func NewServer(tb testing.TB, opts server.Options) *Server {
	tb.Helper()
	return NewServerOn(tb, opts, listen.Options{})
}

// NewServerOn is NewServer for other ways to come in. Its Addr and URL are those
// of the first listener.
func NewServerOn(tb testing.TB, opts server.Options, where listen.Options) *Server {
	tb.Helper()
	log := newLog(tb)
	if opts.Logger == nil {
		opts.Logger = log.logger()
	}
	if opts.Hostname == "" {
		opts.Hostname = Hostname
	}
	if opts.HTTP2 == "" {
		opts.HTTP2 = serveHTTP2
	}
	if opts.ShutdownTimeout == 0 {
		opts.ShutdownTimeout = 2 * time.Second
	}
	if opts.History.Dir == "" {
		opts.History.Dir = tb.TempDir()
	}
	srv, err := server.New(tb.Context(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	if len(where.Addresses) == 0 {
		where.Addresses = []string{"127.0.0.1:0"}
	}
	listeners, err := listen.Open(tb.Context(), where)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Server: srv, Log: log, tb: tb, cancel: cancel, done: make(chan struct{})}
	s.Addr = listeners[0].Addr().String()
	s.URL = "http://" + s.Addr
	if listeners[0].TLS != nil {
		s.URL = "https://" + s.Addr
	}
	go func() {
		defer close(s.done)
		s.err = srv.Run(ctx, listeners...)
	}()
	tb.Cleanup(func() {
		if err := s.Wait(); err != nil {
			tb.Errorf("the server ended with: %v", err)
		}
		if err := srv.Close(); err != nil {
			tb.Errorf("closing the server: %v", err)
		}
		log.close()
	})
	return s
}

// NewSeeded is NewServer with a sample of each classic metric: cpu 12.5,
// memory 3.25 and disk 40.
func NewSeeded(tb testing.TB, opts server.Options) *Server {
	tb.Helper()
	s := NewServer(tb, opts)
	s.Seed()
	return s
}

// Collect measures this machine, as serve does, until the test ends.
func (s *Server) Collect() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	collector := collect.New(collect.Options{Host: s.Hostname(), Logger: s.Log.logger()})
	go func() {
		defer close(done)
		if err := collector.Run(ctx, time.Second, s.publish); err != nil {
			s.tb.Errorf("collecting: %v", err)
		}
	}()
	s.tb.Cleanup(func() { cancel(); <-done })
}

// Seed publishes one sample of each classic metric of the server's own host.
func (s *Server) Seed() {
	s.Put(metric.CPU, 12.5)
	s.Put(metric.Memory, 3.25)
	s.Put(metric.Disk, 40)
}

// KeepWell seeds again each second until the test ends: a server whose collector is
// silent for ten seconds is not well.
func (s *Server) KeepWell() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.Seed()
			case <-s.done:
				return
			case <-done:
				return
			}
		}
	}()
	s.tb.Cleanup(func() { close(done); <-ended })
}

// Put publishes a sample of the server's own host, observed now and later than
// the one before.
func (s *Server) Put(metricType string, value float64) {
	s.PutSeries(metric.NewSeries(metricType, s.Hostname(), nil), value)
}

// PutSeries is Put for any series, of any host.
func (s *Server) PutSeries(series *metric.Series, value float64) {
	now := time.Now().UnixMilli()
	for {
		last := s.started.Load()
		now = max(now, last+1)
		if s.started.CompareAndSwap(last, now) {
			break
		}
	}
	if series.Host == s.Hostname() {
		s.publish([]metric.Sample{{Series: series, Time: now, Value: value}})
		return
	}
	s.reportCustom(series, time.UnixMilli(now), value)
}

// reportCustom reports a sample of another host, which has to come by RPC.
func (s *Server) reportCustom(series *metric.Series, at time.Time, value float64) {
	sample := &monitoringv1.CustomSample{MetricType: series.Type, Value: value, Time: timestamppb.New(at), Labels: map[string]string{}}
	for _, l := range series.Labels {
		sample.Labels[l.Name] = l.Value
	}
	res, err := s.Client(Connection{}).Ingest().ReportBatch(context.Background(),
		&monitoringv1.ReportBatchRequest{Hostname: series.Host, Samples: []*monitoringv1.CustomSample{sample}})
	if err != nil || res.GetReceipt().GetRejected() > 0 {
		s.tb.Errorf("reporting %s: %v, %v", series, res, err)
	}
}

func (s *Server) publish(samples []metric.Sample) {
	if err := s.Report(context.Background(), samples); err != nil {
		s.tb.Errorf("reporting: %v", err)
	}
}

// Stop tells the server to stop, and returns at once.
func (s *Server) Stop() { s.cancel() }

// Wait stops the server and returns what Run returned.
func (s *Server) Wait() error {
	s.cancel()
	<-s.done
	return s.err
}

// Done is closed when Run has returned.
func (s *Server) Done() <-chan struct{} { return s.done }

// HTTP1 is a client that speaks HTTP/1.1 alone, HTTP2 one that speaks HTTP/2
// with prior knowledge alone. Both decompress nothing by themselves.
func (s *Server) HTTP1() *http.Client {
	return s.httpClient(func(p *http.Protocols) { p.SetHTTP1(true) })
}

// HTTP2 is a client that speaks HTTP/2 with prior knowledge.
func (s *Server) HTTP2() *http.Client {
	return s.httpClient(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
}

func (s *Server) httpClient(set func(*http.Protocols)) *http.Client {
	protocols := new(http.Protocols)
	set(protocols)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	s.tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * Patience}
}

// Dial opens a bare TCP connection, closed when the test ends, that gives up
// after [Patience].
func (s *Server) Dial() net.Conn {
	s.tb.Helper()
	conn, err := new(net.Dialer).DialContext(s.tb.Context(), "tcp", s.Addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		s.tb.Fatal(err)
	}
	return conn
}

// Eventually polls until ok, and fails the test when that takes more than
// [Patience].
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %s: %s", Patience, what)
		}
	}
}
