package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/agent/spool"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for what ought to come soon.
const patience = 30 * time.Second

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// taker is a server that keeps what it takes, and behaves as the test says.
type taker struct {
	monitoringv1connect.UnimplementedIngestServiceHandler

	mu      sync.Mutex
	refuse  func(first bool, req *monitoringv1.ReportRequest) error // of each message
	final   error                                                   // in place of a receipt
	receipt *monitoringv1.Receipt
	values  map[string][]float64 // what was acknowledged, by series
	live    []float64            // what came, acknowledged or not
	streams int
}

func (s *taker) Report(ctx context.Context, stream monitoringv1connect.IngestServiceReportServerStream) (*monitoringv1.ReportResponse, error) {
	s.mu.Lock()
	s.streams++
	s.mu.Unlock()
	names := map[uint32]string{}
	got := map[string][]float64{}
	for first := true; ; first = false {
		req, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := s.take(first, req, names, got); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final != nil {
		return nil, s.final
	}
	for name, values := range got {
		s.values[name] = append(s.values[name], values...)
	}
	return &monitoringv1.ReportResponse{Receipt: s.receipt}, nil
}

func (s *taker) take(first bool, req *monitoringv1.ReportRequest, names map[uint32]string, got map[string][]float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first != (req.GetReporter().GetHostname() == "web-1") {
		return connect.Errorf(connect.CodeInvalidArgument, "the reporter comes first, and once: %v", req)
	}
	if s.refuse != nil {
		if err := s.refuse(first, req); err != nil {
			return err
		}
	}
	for _, def := range req.GetSeries() {
		names[def.GetId()] = def.GetSeries().GetMetricType()
	}
	for _, samples := range req.GetSamples() {
		for i, id := range samples.GetSeriesIds() {
			got[names[id]] = append(got[names[id]], samples.GetValues()[i])
			s.live = append(s.live, samples.GetValues()[i])
		}
	}
	return nil
}

// set changes the behaviour.
func (s *taker) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// acknowledged counts the acknowledged values of a series, and distinct ones.
func (s *taker) acknowledged(name string) (all, distinct int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[float64]bool{}
	for _, v := range s.values[name] {
		seen[v] = true
	}
	return len(s.values[name]), len(seen)
}

// newTaker serves one at a real address.
func newTaker(tb testing.TB, options ...client.Option) (*taker, monitoringv1connect.IngestServiceClient) {
	tb.Helper()
	return newTakerOf(tb, 0, options...)
}

// newTakerOf serves one that reads messages of so many bytes at the most; 0: of any.
func newTakerOf(tb testing.TB, bytes int, options ...client.Option) (*taker, monitoringv1connect.IngestServiceClient) {
	tb.Helper()
	s := &taker{values: map[string][]float64{}, receipt: &monitoringv1.Receipt{}}
	calls := connect.NewServer()
	monitoringv1connect.RegisterIngestServiceHandler(calls, s)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls, connecthttp.WithReadMaxBytes(bytes))
	web := httptest.NewUnstartedServer(mux)
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	tb.Cleanup(web.Close)
	cl, err := client.New(web.URL, append(options, client.WithGzip())...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return s, cl.Ingest()
}

// buffer is a log.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func openSpool(tb testing.TB) *spool.Spool {
	tb.Helper()
	q, err := spool.Open(spool.Options{Dir: tb.TempDir(), Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { q.Close() })
	return q
}

// pulse is a collector that counts: the n-th round has the value n.
type pulse struct{ every time.Duration }

func (p pulse) Run(ctx context.Context, _ time.Duration, sink func([]metric.Sample)) error {
	series := metric.NewSeries("pulse", "web-1", nil)
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		sink([]metric.Sample{{Series: series, Time: int64(n) * 1000, Value: float64(n)}})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// running is an agent that runs.
type running struct {
	log  *buffer
	stop func() error
}

func start(tb testing.TB, q *spool.Spool, server monitoringv1connect.IngestServiceClient, c Collector) running {
	tb.Helper()
	r := running{log: &buffer{}}
	a := New(Options{
		Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Collector: c, Spool: q, Server: server,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	tb.Cleanup(func() { _ = r.stop() })
	return r
}

// TestStopSendsAll stops the agent at once, with a backlog, while the server is
// there.
func TestStopSendsAll(t *testing.T) {
	q := openSpool(t)
	rec := newRecorder(q)
	series := metric.NewSeries("missed", "web-1", nil)
	for n := range 500 {
		if err := rec.record([]metric.Sample{{Series: series, Time: int64(n), Value: float64(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	server, cl := newTaker(t)
	a := start(t, q, cl, pulse{time.Millisecond})
	eventually(t, "it measures", func() bool { return q.End() > 510 })
	began := time.Now()
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > drainTimeout {
		t.Errorf("it took %s to stop", took)
	}
	if n := q.Stats().Records; n > 0 {
		t.Errorf("%d records are left", n)
	}
	if all, distinct := server.acknowledged("missed"); all != 500 || distinct != 500 {
		t.Errorf("%d of the 500 missed rounds came, %d different", all, distinct)
	}
	if all, distinct := server.acknowledged("pulse"); all != distinct || all != int(q.End())-501 {
		t.Errorf("%d live rounds came, %d different; want %d", all, distinct, q.End()-501)
	}
}

// TestStopWithoutServer must not wait.
func TestStopWithoutServer(t *testing.T) {
	cl, err := client.New("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	q := openSpool(t)
	a := start(t, q, cl.Ingest(), pulse{time.Millisecond})
	eventually(t, "it says so", func() bool { return a.log.count("cannot report") == 1 })
	began := time.Now()
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > drainTimeout {
		t.Errorf("it took %s to stop", took)
	}
	if n := q.Stats().Records; n != uint64(q.End())-1 {
		t.Errorf("%d records wait of %d", n, q.End()-1)
	}
}

// TestRefusedInTheEnd has a server whose disk is full: it takes a stream to its
// end and then refuses it. What is measured goes on to be sent as it comes.
func TestRefusedInTheEnd(t *testing.T) {
	t.Parallel()
	server, cl := newTaker(t)
	full := connect.NewError(connect.CodeResourceExhausted, "the disk is full")
	server.set(func() { server.final = full })
	q := openSpool(t)
	a := start(t, q, cl, pulse{20 * time.Millisecond})
	// With waits that grow there would be some four streams in that time.
	began := time.Now()
	eventually(t, "it goes on", func() bool { server.mu.Lock(); defer server.mu.Unlock(); return server.streams >= 6 })
	if took := time.Since(began); took > 6*(probeFor+minBackoff)+10*time.Second {
		t.Errorf("six streams took %s", took)
	}
	if n := a.log.count("cannot report"); n != 1 {
		t.Errorf("it says %d times that it cannot report; want once", n)
	}
	if n := q.Stats().Records; n != uint64(q.End())-1 {
		t.Errorf("%d records wait of %d", n, q.End()-1)
	}
	server.set(func() { server.final = nil })
	eventually(t, "it catches up", func() bool { return a.log.count("caught up") > 0 })
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if all, distinct := server.acknowledged("pulse"); all != distinct || all != int(q.End())-1 {
		t.Errorf("%d rounds came, %d different; want %d", all, distinct, q.End()-1)
	}
}

// TestBacklogRefused says so when live samples pass and old ones do not.
func TestBacklogRefused(t *testing.T) {
	q := openSpool(t)
	rec := newRecorder(q)
	if err := rec.record([]metric.Sample{{Series: metric.NewSeries("missed", "web-1", nil), Time: 1, Value: 1}}); err != nil {
		t.Fatal(err)
	}
	server, cl := newTaker(t)
	server.set(func() {
		server.refuse = func(_ bool, req *monitoringv1.ReportRequest) error {
			for _, def := range req.GetSeries() {
				if def.GetSeries().GetMetricType() == "missed" {
					return connect.NewError(connect.CodeUnavailable, "not these")
				}
			}
			return nil
		}
	})
	a := start(t, q, cl, pulse{10 * time.Millisecond})
	eventually(t, "it says so", func() bool { return a.log.count("cannot send what was missed") == 1 && a.log.count("not these") == 1 })
	server.set(func() { server.refuse = nil })
	eventually(t, "it is sent", func() bool { all, _ := server.acknowledged("missed"); return all == 1 })
}

// TestReceiptIsSaid logs warnings and refusals, each once.
func TestReceiptIsSaid(t *testing.T) {
	server, cl := newTaker(t)
	server.set(func() {
		server.receipt = &monitoringv1.Receipt{
			Warnings: []string{"two agents report as host"}, Rejected: 3,
			Rejections: []*monitoringv1.Rejection{{Series: "pulse{}", Reason: "set the clock"}},
		}
	})
	a := start(t, openSpool(t), cl, pulse{10 * time.Millisecond})
	eventually(t, "it is said", func() bool { return a.log.count("set the clock") == 1 && a.log.count("two agents") == 1 })
	if err := a.stop(); err != nil { // with a receipt more
		t.Fatal(err)
	}
	if a.log.count("set the clock") != 1 || a.log.count("two agents") != 1 || a.log.count("count=3") != 1 {
		t.Errorf("not said once:\n%s", a.log.text.String())
	}
}

// TestCollectorFails ends the agent.
func TestCollectorFails(t *testing.T) {
	_, cl := newTaker(t)
	broken := errors.New("broken")
	a := New(Options{
		Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Spool: openSpool(t), Server: cl,
		Collector: collectorFunc(func() error { return broken }), Logger: slog.New(slog.DiscardHandler),
	})
	if err := a.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
}

type collectorFunc func() error

func (f collectorFunc) Run(context.Context, time.Duration, func([]metric.Sample)) error { return f() }

// growing is a network so slow that with each read of what is sent a further round
// is there.
type growing struct {
	rec *recorder
	n   int64
}

func (g *growing) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body = &growingBody{req.Body, g}
	return http.DefaultTransport.RoundTrip(req)
}

type growingBody struct {
	io.ReadCloser
	*growing
}

func (b *growingBody) Read(p []byte) (int, error) {
	b.n++
	if err := b.rec.record([]metric.Sample{{Series: metric.NewSeries("pulse", "web-1", nil), Time: b.n, Value: 1}}); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}

// TestLiveStreamEnds though there is always more to send.
func TestLiveStreamEnds(t *testing.T) {
	q := openSpool(t)
	_, cl := newTaker(t, client.WithRoundTripper(&growing{rec: newRecorder(q)}))
	s := newSender(Options{Spool: q, Server: cl, Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Logger: slog.New(slog.DiscardHandler)})
	began := time.Now()
	next, err := s.live(t.Context(), q.End(), 100*time.Millisecond)
	if err != nil || next < 2 {
		t.Errorf("live = %d, %v", next, err)
	}
	if took := time.Since(began); took > answerTimeout/2 {
		t.Errorf("a stream of 100 ms took %s", took)
	}
}

// TestPreambles sends records of several dictionaries over one stream.
func TestPreambles(t *testing.T) {
	server, cl := newTaker(t)
	q := openSpool(t)
	rec := newRecorder(q)
	put := func(at int64, series ...*metric.Series) {
		t.Helper()
		var samples []metric.Sample
		for _, s := range series {
			samples = append(samples, metric.Sample{Series: s, Time: at, Value: float64(at)})
		}
		if err := rec.record(samples); err != nil {
			t.Fatal(err)
		}
	}
	a, b := metric.NewSeries("a", "web-1", nil), metric.NewSeries("b", "web-1", nil)
	put(1, a)
	put(2, a)
	put(3, a, b) // the dictionary grows
	rec = newRecorder(q)
	put(4, b) // and begins anew, as after a restart: b has the number that a had
	put(5, b, a)
	s := newSender(Options{Spool: q, Server: cl, Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Logger: slog.New(slog.DiscardHandler)})
	if done, err := s.catchUp(t.Context(), q.End()); done || err != nil {
		t.Fatal(done, err)
	}
	if got := server.values["a"]; len(got) != 4 || got[0] != 1 || got[3] != 5 {
		t.Errorf("a = %v, want 1 2 3 5", got)
	}
	if got := server.values["b"]; len(got) != 3 || got[0] != 3 || got[1] != 4 {
		t.Errorf("b = %v, want 3 4 5", got)
	}
	if done, err := s.catchUp(t.Context(), q.End()); !done || err != nil || q.Stats().Records != 0 {
		t.Errorf("catchUp = %v, %v with %d records left", done, err, q.Stats().Records)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	want := []time.Duration{minBackoff, 2 * minBackoff, 4 * minBackoff, 8 * minBackoff, 16 * minBackoff, maxBackoff, maxBackoff}
	for i, w := range want {
		if b.sleep(ended, nil) {
			t.Fatal("slept in a context that has ended")
		}
		if b.next != w {
			t.Errorf("wait %d is up to %s, want %s", i, b.next, w)
		}
	}
	b.reset()
	began := time.Now()
	if !b.sleep(t.Context(), nil) || time.Since(began) < minBackoff/2 || b.next != minBackoff {
		t.Errorf("after a reset it slept %s", time.Since(began))
	}
	stopping := make(chan struct{})
	close(stopping)
	if b.sleep(t.Context(), stopping) {
		t.Error("slept while stopping")
	}
}

// TestUnkept sends at once what the spool does not take.
func TestUnkept(t *testing.T) {
	server, cl := newTaker(t)
	q, err := spool.Open(spool.Options{Dir: t.TempDir(), MaxBytes: 130, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	a := start(t, q, cl, pulse{20 * time.Millisecond}) // a round with its preamble is larger
	eventually(t, "rounds come", func() bool { all, _ := server.acknowledged("pulse"); return all >= 10 })
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	if all, distinct := server.acknowledged("pulse"); all != distinct {
		t.Errorf("%d rounds came, %d different", all, distinct)
	}
	if a.log.count("cannot keep samples") != 1 || q.End() != 1 {
		t.Errorf("%d records were kept:\n%s", q.End()-1, a.log.text.String())
	}
}
