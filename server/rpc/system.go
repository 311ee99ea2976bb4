package rpc

import (
	"context"
	"runtime"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/server/health"
)

// alertAbove is the processor use in percent above which CalculateMetrics
// alerts.
const alertAbove = 80

// SystemService implements monitoring.v1.SystemService.
type SystemService struct {
	Hostname, Version string
	Started           time.Time
	Health            Health
}

var _ monitoringv1connect.SystemServiceHandler = (*SystemService)(nil)

// GetSystemInfo describes the server.
func (s *SystemService) GetSystemInfo(context.Context, *monitoringv1.GetSystemInfoRequest) (*monitoringv1.GetSystemInfoResponse, error) {
	status := "running"
	if state, err := s.Health.Status(health.API); err != nil || !state.Healthy() {
		status = "stopping"
	}
	return &monitoringv1.GetSystemInfoResponse{
		Server:       health.Server,
		Version:      s.Version,
		Status:       status,
		Hostname:     s.Hostname,
		Os:           runtime.GOOS,
		Architecture: runtime.GOARCH,
		Uptime:       durationpb.New(time.Since(s.Started)),
		GoVersion:    runtime.Version(),
		Protocols:    []string{connect.ProtocolNameConnect, connect.ProtocolNameGRPC, connect.ProtocolNameGRPCWeb},
		Time:         timestamppb.Now(),
	}, nil
}

// CalculateMetrics sums up the caller's readings. The schema sees to it that
// there are some.
func (s *SystemService) CalculateMetrics(_ context.Context, req *monitoringv1.CalculateMetricsRequest) (*monitoringv1.CalculateMetricsResponse, error) {
	highest := slices.Max(req.GetCpuUsage())
	return &monitoringv1.CalculateMetricsResponse{
		AvgCpu:    mean(req.GetCpuUsage()),
		MaxCpu:    highest,
		AvgMemory: mean(req.GetMemoryUsage()),
		Alert:     highest > alertAbove,
	}, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
