package interceptor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/server/interceptor"
)

// service answers as each test says.
type service struct {
	monitoringconnect.UnimplementedMonitoringServiceHandler
	get    func(context.Context) error
	stream func(context.Context) error
}

func (s *service) GetMetric(ctx context.Context, _ *monitoring.MetricRequest) (*monitoring.MetricResponse, error) {
	if err := s.get(ctx); err != nil {
		return nil, err
	}
	return &monitoring.MetricResponse{}, nil
}

func (s *service) StreamMetrics(ctx context.Context, _ *monitoring.MetricRequest, _ monitoringconnect.MonitoringServiceStreamMetricsServerStream) error {
	return s.stream(ctx)
}

// serve puts a service behind interceptors, over real HTTP.
func serve(t *testing.T, s *service, interceptors ...connect.ServerInterceptor) string {
	t.Helper()
	calls := connect.NewServer(interceptors...)
	monitoringconnect.RegisterMonitoringServiceHandler(calls, s)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func post(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+monitoringconnect.MonitoringServiceGetMetricProcedure, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// record is a logger and what it wrote.
func record() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), &out
}

func TestRecovery(t *testing.T) {
	log, out := record()
	explode := true
	s := &service{get: func(context.Context) error {
		if explode {
			panic("a secret of the server")
		}
		return nil
	}}
	reg := prometheus.NewPedanticRegistry()
	url := serve(t, s, interceptor.RequestID, interceptor.Log(log), interceptor.NewMetrics(reg).Intercept, interceptor.Recovery(log))
	res, body := post(t, url, "X-Request-Id", "call-7")
	if res.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"internal"`) || !strings.Contains(body, "request id call-7") || strings.Contains(body, "secret") {
		t.Errorf("%s %s", res.Status, body)
	}
	for _, text := range []string{"a handler panicked", "a secret of the server", "call-7", "interceptor_test.go", `"level":"ERROR"`} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the log does not say %q: %s", text, out)
		}
	}
	explode = false
	if res, body := post(t, url); res.StatusCode != http.StatusOK {
		t.Errorf("after a panic: %s %s", res.Status, body)
	}
	const want = `
# HELP grpc_requests_total Calls that have ended, by what was called, over which protocol, and with which code.
# TYPE grpc_requests_total counter
grpc_requests_total{code="internal",method="GetMetric",protocol="connect",service="monitoring.MonitoringService"} 1
grpc_requests_total{code="ok",method="GetMetric",protocol="connect",service="monitoring.MonitoringService"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "grpc_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestLog(t *testing.T) {
	f := func(err error, level, code, text string) {
		t.Helper()
		log, out := record()
		res, body := post(t, serve(t, &service{get: func(context.Context) error { return err }}, interceptor.RequestID, interceptor.Log(log)))
		var got struct{ Level, Msg, Procedure, Code, Duration, RequestID, Protocol, Peer, Error string }
		if jsonErr := json.Unmarshal(bytes.ReplaceAll(out.Bytes(), []byte("request_id"), []byte("requestid")), &got); jsonErr != nil {
			t.Fatalf("%v: %s", jsonErr, out)
		}
		if got.Level != level || got.Code != code || !strings.Contains(got.Error, text) || got.Procedure == "" || got.Protocol != "connect" || got.Peer == "" {
			t.Errorf("%v is logged as %+v, want %s %s with %q", err, got, level, code, text)
		}
		if got.RequestID == "" || got.RequestID != res.Header.Get(interceptor.RequestIDHeader) {
			t.Errorf("the log has request id %q, the caller %q", got.RequestID, res.Header.Get(interceptor.RequestIDHeader))
		}
		if strings.Contains(body, "inner") {
			t.Errorf("the caller was sent an internal cause: %s", body)
		}
	}
	inner := errors.New("the inner cause")
	f(nil, "DEBUG", "ok", "")
	f(context.Canceled, "DEBUG", "canceled", "canceled")
	f(context.DeadlineExceeded, "INFO", "deadline_exceeded", "deadline")
	f(connect.NewError(connect.CodeNotFound, "no such host").WithCause(inner), "INFO", "not_found", "the inner cause")
	f(connect.NewError(connect.CodeInternal, "it broke").WithCause(inner), "ERROR", "internal", "the inner cause")
	f(inner, "ERROR", "unknown", "the inner cause")
}

// Without a call's context there is no id, and nothing breaks.
func TestRequestIDOutsideOfCalls(t *testing.T) {
	if id := interceptor.RequestIDFrom(t.Context()); id != "" {
		t.Errorf("%q", id)
	}
}

func TestStreams(t *testing.T) {
	streams := interceptor.NewStreams(2, time.Hour)
	reason := errors.New("going home")
	spec := connect.Spec{StreamType: connect.StreamTypeServer, Schema: "any"}
	causes := make(chan error, 2)
	hold := streams.Intercept(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil
	})
	for range 2 {
		go func() { _ = hold(t.Context(), spec, nil) }()
	}
	for deadline := time.Now().Add(30 * time.Second); streams.Open() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the streams do not open")
		}
	}
	if err := hold(t.Context(), spec, nil); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("the third of two: %v", err)
	}
	called := false
	unary := streams.Intercept(func(context.Context, connect.Spec, connect.ServerStream) error { called = true; return nil })
	if err := unary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Schema: "any"}, nil); err != nil || !called {
		t.Errorf("a unary call at the limit: %v", err)
	}
	streams.Stop(reason)
	for range 2 {
		if cause := <-causes; !errors.Is(cause, reason) {
			t.Errorf("ended with %v, want %v", cause, reason)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); streams.Open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("streams stay open")
		}
	}
	if err := hold(t.Context(), spec, nil); !errors.Is(err, reason) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestStreamAge(t *testing.T) {
	streams := interceptor.NewStreams(1, time.Millisecond)
	err := streams.Intercept(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})(t.Context(), connect.Spec{StreamType: connect.StreamTypeServer, Schema: "any"}, nil)
	if !errors.Is(err, interceptor.ErrStreamAge) {
		t.Errorf("%v", err)
	}
}

// TestStopTellsWhy stops a stream in the middle of something that knows no more
// than that its context has ended.
func TestStopTellsWhy(t *testing.T) {
	reason := errors.New("the server is stopping")
	s := interceptor.NewStreams(1, time.Minute)
	running := make(chan struct{})
	handler := s.Intercept(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		close(running)
		<-ctx.Done()
		return fmt.Errorf("storing: %w", ctx.Err())
	})
	go func() {
		<-running
		s.Stop(reason)
	}()
	spec := connect.Spec{StreamType: connect.StreamTypeClient, Schema: "any"}
	if err := handler(t.Context(), spec, nil); !errors.Is(err, reason) {
		t.Errorf("the stream ended with %v, want %v", err, reason)
	}
}
