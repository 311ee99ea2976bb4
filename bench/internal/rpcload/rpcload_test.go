package rpcload_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/bench/internal/rpcload"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
)

// service answers with what it was asked for, and refuses the type "none".
type service struct {
	monitoringconnect.UnimplementedMonitoringServiceHandler
	calls atomic.Int64
}

func (s *service) GetMetric(_ context.Context, req *monitoringpb.MetricRequest) (*monitoringpb.MetricResponse, error) {
	s.calls.Add(1)
	if req.GetMetricType() == "none" {
		return nil, connect.NewError(connect.CodeNotFound, "there is none")
	}
	return &monitoringpb.MetricResponse{MetricType: req.GetMetricType(), Value: 1}, nil
}

func (*service) StreamMetrics(ctx context.Context, req *monitoringpb.MetricRequest, stream monitoringconnect.MonitoringServiceStreamMetricsServerStream) error {
	for range 3 {
		if err := stream.Send(&monitoringpb.MetricResponse{MetricType: req.GetMetricType()}); err != nil {
			return err
		}
	}
	if req.GetMetricType() == "short" {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func serve(t *testing.T) (s *service, addr string) {
	t.Helper()
	s = &service{}
	calls := connect.NewServer()
	monitoringconnect.RegisterMonitoringServiceHandler(calls, s)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls)
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return s, strings.TrimPrefix(srv.URL, "http://")
}

func request(t *testing.T, metricType string) []byte {
	t.Helper()
	body, err := proto.Marshal(&monitoringpb.MetricRequest{MetricType: metricType})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Every protocol is spoken as a real server understands it; an error, and an answer
// that the check does not like, fail the load.
func TestRun(t *testing.T) {
	f := func(name string, l rpcload.Load) {
		t.Run(name, func(t *testing.T) {
			s, addr := serve(t)
			l.Addr, l.Procedure, l.Conns, l.InFlight, l.Messages = addr, monitoringconnect.MonitoringServiceGetMetricProcedure, 2, 4, 1
			var checked atomic.Int64
			l.Check = func(number int, message []byte) error {
				checked.Add(1)
				if number != 0 || !strings.Contains(string(message), "cpu") {
					return errors.New("a wrong message")
				}
				return nil
			}
			run := func(metricType string) (rpcload.Result, error) {
				l.Request = request(t, metricType)
				if l.JSON {
					l.Request = []byte(`{"metricType":"` + metricType + `"}`)
				}
				return l.Run(t.Context(), 50*time.Millisecond)
			}
			got, err := run("cpu")
			if n := s.calls.Load(); err != nil || n == 0 || int64(got.Calls) != n || int64(got.Messages) != n || checked.Load() != n {
				t.Errorf("%+v of %d calls, %d checked, %v", got, n, checked.Load(), err)
			}
			if _, err := run("memory"); err == nil || !strings.Contains(err.Error(), "a wrong message") {
				t.Errorf("a wrong answer: %v", err)
			}
			if _, err := run("none"); err == nil || !strings.Contains(err.Error(), "there is none") {
				t.Errorf("a refused call: %v", err)
			}
		})
	}
	f("gRPC", rpcload.Load{})
	f("gRPC-Web over HTTP/2", rpcload.Load{Protocol: rpcload.GRPCWeb})
	f("gRPC-Web over HTTP/1.1", rpcload.Load{Protocol: rpcload.GRPCWeb, HTTP1: true})
	f("Connect over HTTP/2", rpcload.Load{Protocol: rpcload.Connect})
	f("Connect over HTTP/1.1", rpcload.Load{Protocol: rpcload.Connect, HTTP1: true})
	f("Connect JSON over HTTP/2", rpcload.Load{Protocol: rpcload.Connect, JSON: true})
	f("Connect JSON over HTTP/1.1", rpcload.Load{Protocol: rpcload.Connect, JSON: true, HTTP1: true})
}

// Streams give each message to its stream until they are ended, and fail when a
// server ends one.
func TestStreams(t *testing.T) {
	_, addr := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var came [6]atomic.Int64
	var all atomic.Int64
	s := &rpcload.Streams{
		Addr: addr, Procedure: monitoringconnect.MonitoringServiceStreamMetricsProcedure, Request: request(t, "cpu"), Conns: 2, PerConn: 3,
		Each: func(stream int, _ []byte) error {
			came[stream].Add(1)
			if all.Add(1) == 18 {
				cancel()
			}
			return nil
		},
	}
	if err := s.Run(ctx); err != nil || all.Load() != 18 {
		t.Errorf("%d messages, %v", all.Load(), err)
	}
	for i := range came {
		if n := came[i].Load(); n != 3 {
			t.Errorf("stream %d has %d messages", i, n)
		}
	}
	s.Request = request(t, "short")
	s.Each = func(int, []byte) error { return nil }
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "ought to stay") {
		t.Errorf("a stream that has ended: %v", err)
	}
}
