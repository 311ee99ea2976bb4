package interop_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // what UseCompressor names
	"google.golang.org/grpc/status"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
)

func health(service string) *monitoring.HealthRequest {
	return &monitoring.HealthRequest{Service: service}
}

func TestGRPCGo(t *testing.T) {
	srv := newServer(t)
	conn, err := grpc.NewClient(srv.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	get := func(ctx context.Context, req *monitoring.MetricRequest, opts ...grpc.CallOption) (*monitoring.MetricResponse, error) {
		res := &monitoring.MetricResponse{}
		return res, conn.Invoke(ctx, monitoringconnect.MonitoringServiceGetMetricProcedure, req, res, opts...)
	}
	for _, opts := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}, {grpc.WaitForReady(true)}} {
		res, err := get(t.Context(), &monitoring.MetricRequest{Hostname: "server01", MetricType: "memory"}, opts...)
		if err != nil || res.GetUnit() != "GB" || res.GetValue() <= 0 {
			t.Errorf("GetMetric: %v, %v", res, err)
		}
	}
	_, err = get(t.Context(), &monitoring.MetricRequest{Hostname: "server02"})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "nearest: server01") {
		t.Errorf("an unknown host: %v", err)
	}
	_, err = get(t.Context(), &monitoring.MetricRequest{Hostname: strings.Repeat("x", 5<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("5 MiB: %v", err)
	}
	var state monitoring.HealthResponse
	if err := conn.Invoke(t.Context(), monitoringconnect.MonitoringServiceCheckHealthProcedure, health("api"), &state); err != nil || state.GetMessage() != "Service api is running" {
		t.Errorf("CheckHealth: %v, %v", &state, err)
	}
	err = conn.Invoke(t.Context(), "/monitoring.MonitoringService/Nope", health(""), &state)
	if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "there is no procedure") {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestGRPCGoStream(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	conn, err := grpc.NewClient(srv.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	start := time.Now()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, monitoringconnect.MonitoringServiceStreamMetricsProcedure)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&monitoring.MetricRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var times []int64
	for {
		var res monitoring.MetricResponse
		err := stream.RecvMsg(&res)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, res.GetTimestamp())
	}
	// With two seconds from sample to sample it would be 18 s.
	if took := time.Since(start); len(times) != 10 || took < 8*time.Second || took > 17*time.Second {
		t.Errorf("%d samples in %v, want 10 in about 9 s", len(times), took)
	}
	for i := 1; i < len(times); i++ {
		if times[i] < times[i-1] { // in whole seconds two may be the same, where one was late
			t.Errorf("sample %d is older than the one before: %v", i+1, times)
		}
	}
}
