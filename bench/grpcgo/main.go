// Command grpcgo is a grpc-go server at its defaults, with the procedures that the
// RPC and the fan-out benchmark call and nothing else: the peer of Vitals.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
)

func main() {
	addr := flag.String("listen", "", "`address` to serve gRPC on")
	ready := flag.String("ready", "", "`address` that answers HTTP when it is served")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *ready)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpcgo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, ready string) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	srv := grpc.NewServer()
	s := &service{newest: map[string]*monitoringpb.MetricResponse{
		"cpu": {Hostname: "bench-server", MetricType: "cpu", Value: 12.5, Timestamp: time.Now().Unix(), Unit: "percent"},
	}}
	srv.RegisterService(&monitoring, s)
	srv.RegisterService(&diagnostics, s)
	h := newHub()
	srv.RegisterService(&live, h)
	srv.RegisterService(&ingest, h)
	probe := &http.Server{Addr: ready, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		srv.Stop()
		_ = probe.Close()
	}()
	go func() { _ = probe.ListenAndServe() }()
	return srv.Serve(l)
}

type service struct {
	mu     sync.RWMutex
	newest map[string]*monitoringpb.MetricResponse
}

func (s *service) getMetric(_ context.Context, req *monitoringpb.MetricRequest) (*monitoringpb.MetricResponse, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.newest[req.GetMetricType()], nil
}

var monitoring = grpc.ServiceDesc{
	ServiceName: "monitoring.MonitoringService",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "GetMetric", Handler: func(srv any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		req := new(monitoringpb.MetricRequest)
		if err := dec(req); err != nil {
			return nil, err
		}
		return srv.(*service).getMetric(ctx, req)
	}}},
}

var diagnostics = grpc.ServiceDesc{
	ServiceName: "diagnostics.v1.DiagnosticsService",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "CountUp", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		req := new(diagnosticsv1.CountUpRequest)
		if err := stream.RecvMsg(req); err != nil {
			return err
		}
		for number := uint32(1); number <= req.GetTo(); number++ {
			if err := stream.SendMsg(&diagnosticsv1.CountUpResponse{Number: number}); err != nil {
				return err
			}
		}
		return nil
	}}},
}
