package interceptor

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts and times the calls.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics registers the metrics of the calls.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_requests_total",
			Help: "Calls that have ended, by what was called, over which protocol, and with which code.",
		}, []string{"service", "method", "protocol", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "grpc_request_duration_seconds",
			Help:    "How long calls took from their start to their end; for a stream, its whole life.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600},
		}, []string{"service", "method", "protocol"}),
	}
	reg.MustRegister(m.requests, m.duration)
	return m
}

// Intercept is the interceptor. Labels stay bounded: a procedure that is not
// registered counts as service and method "unknown".
func (m *Metrics) Intercept(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		start := time.Now()
		err := next(ctx, spec, stream)
		service, method := "unknown", "unknown"
		if spec.Schema != nil {
			service, method, _ = strings.Cut(strings.TrimPrefix(spec.Procedure, "/"), "/")
		}
		protocol := "unknown"
		if info, ok := connect.CallInfoForServerContext(ctx); ok && info.Protocol != "" {
			protocol = info.Protocol
		}
		m.requests.WithLabelValues(service, method, protocol, codeName(err)).Inc()
		m.duration.WithLabelValues(service, method, protocol).Observe(time.Since(start).Seconds())
		return err
	}
}
