package rpc

import (
	"context"
	"math"
	"runtime"
	"slices"
	"time"

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
	// Protocols are what the server speaks.
	Protocols []string
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
		Protocols:    s.Protocols,
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

// mean adds up with the error of each step carried along, so that the mean of 2.1,
// 2.3, 2.5, 2.2 and 2.4 is 2.3 and not 2.3000000000000003.
func mean(values []float64) float64 {
	sum, lost := 0.0, 0.0
	for _, v := range values {
		next := sum + v
		if math.Abs(sum) >= math.Abs(v) {
			lost += (sum - next) + v
		} else {
			lost += (v - next) + sum
		}
		sum = next
	}
	if !math.IsInf(sum, 0) { // what was lost on the way there is no number
		sum += lost
	}
	return sum / float64(len(values))
}
