// Command plain serves the two procedures that the RPC benchmark calls from a
// connect.Server without any interceptor, over Vitals' own HTTP/2 or net/http's:
// what the transport costs by itself, where grpc-go's peer has nothing else either.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/server/h2"
)

func main() {
	addr := flag.String("listen", "", "`address` to serve on")
	who := flag.String("http2", "own", "who serves HTTP/2: own or std")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *who)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, who string) error {
	calls := connect.NewServer()
	monitoringconnect.RegisterMonitoringServiceHandler(calls, &monitoring{newest: map[string]*monitoringpb.MetricResponse{
		"cpu": {Hostname: "bench-server", MetricType: "cpu", Value: 12.5, Timestamp: time.Now().Unix(), Unit: "percent"},
	}})
	diagnosticsv1connect.RegisterDiagnosticsServiceHandler(calls, diagnostics{})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, calls)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: mux, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second}
	if who == "own" {
		if _, err := h2.Configure(srv, h2.Options{}); err != nil {
			return err
		}
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type monitoring struct {
	monitoringconnect.UnimplementedMonitoringServiceHandler
	mu     sync.RWMutex
	newest map[string]*monitoringpb.MetricResponse
}

func (m *monitoring) GetMetric(_ context.Context, req *monitoringpb.MetricRequest) (*monitoringpb.MetricResponse, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.newest[req.GetMetricType()], nil
}

type diagnostics struct {
	diagnosticsv1connect.UnimplementedDiagnosticsServiceHandler
}

func (diagnostics) CountUp(_ context.Context, req *diagnosticsv1.CountUpRequest, stream diagnosticsv1connect.DiagnosticsServiceCountUpServerStream) error {
	for number := uint32(1); number <= req.GetTo(); number++ {
		if err := stream.Send(&diagnosticsv1.CountUpResponse{Number: number}); err != nil {
			return err
		}
	}
	return nil
}
