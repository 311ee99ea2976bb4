// Package rpc implements the services: it turns requests into questions to the
// domain and answers into messages, and nothing else. It holds no state.
package rpc

import (
	"context"
	"time"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/health"
	"github.com/vitals-rpc/vitals/server/live"
)

// Live answers with the newest samples.
type Live interface {
	Latest(hostname, metricType string) (metric.Sample, error)
	Subscribe(...metric.Selector) *live.Subscription
	Snapshot(...metric.Selector) []metric.Sample
}

// Health knows the state of the server's components.
type Health interface {
	Status(name string) (health.Status, error)
}

// The pace of StreamMetrics, which the contract fixes.
const (
	streamSamples  = 10
	streamInterval = time.Second
	// streamPatience is how long a turn waits for a sample that is just about to
	// come rather than send the one before again.
	streamPatience = 250 * time.Millisecond
)

// Monitoring implements the classic monitoring.MonitoringService.
type Monitoring struct {
	// Hostname is the host that an empty hostname in a request means.
	Hostname string
	Live     Live
	Types    Types
	Hosts    interface {
		LastSeen(hostname string) (time.Time, bool)
	}
	// History has what hosts sent that have been silent since the server started.
	History interface {
		Newest(ctx context.Context, hostname, metricType string, seen time.Time) (metric.Sample, error)
	}
	Health Health
}

var _ monitoringconnect.MonitoringServiceHandler = (*Monitoring)(nil)

// GetMetric returns the newest sample.
func (m *Monitoring) GetMetric(ctx context.Context, req *monitoringpb.MetricRequest) (*monitoringpb.MetricResponse, error) {
	hostname, metricType := m.target(req)
	sample, err := m.latest(ctx, hostname, metricType)
	if err != nil {
		return nil, err
	}
	return m.response(sample), nil
}

// StreamMetrics sends the newest sample at once, then one a second: ten in all.
func (m *Monitoring) StreamMetrics(ctx context.Context, req *monitoringpb.MetricRequest, stream monitoringconnect.MonitoringServiceStreamMetricsServerStream) error {
	hostname, metricType := m.target(req)
	sample, err := m.latest(ctx, hostname, metricType)
	if err != nil {
		return err
	}
	sub := m.Live.Subscribe(metric.Exactly(hostname, metricType))
	defer sub.Close()

	start := time.Now()
	for turn := 1; ; turn++ {
		if err := stream.Send(m.response(sample)); err != nil {
			return err
		}
		if turn == streamSamples {
			return nil
		}
		due := start.Add(time.Duration(turn) * streamInterval)
		if sample, err = m.next(ctx, sub, sample, due); err != nil {
			return err
		}
	}
}

// next waits until due and returns the newest sample then, waiting a moment
// longer where that is still the one sent before.
func (m *Monitoring) next(ctx context.Context, sub *live.Subscription, sent metric.Sample, due time.Time) (metric.Sample, error) {
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return metric.Sample{}, context.Cause(ctx)
	}
	patience, cancel := context.WithDeadline(ctx, due.Add(streamPatience))
	defer cancel()
	for {
		newest, err := m.latest(ctx, sent.Series.Host, sent.Series.Type)
		if err != nil || newest.Time > sent.Time {
			return newest, err
		}
		if _, _, err := sub.Next(patience, nil); err != nil {
			if ctx.Err() != nil {
				return metric.Sample{}, context.Cause(ctx)
			}
			return newest, nil
		}
	}
}

// CheckHealth tells whether the server or a component of it works.
func (m *Monitoring) CheckHealth(_ context.Context, req *monitoringpb.HealthRequest) (*monitoringpb.HealthResponse, error) {
	status, err := m.Health.Status(req.GetService())
	if err != nil {
		return nil, err
	}
	res := &monitoringpb.HealthResponse{Healthy: status.Healthy(), Message: "Service " + serviceName(req) + " is running"}
	if !status.Healthy() {
		res.Message = "Service " + serviceName(req) + " is not running: " + status.Problem.Error()
	}
	return res, nil
}

func serviceName(req *monitoringpb.HealthRequest) string {
	if req.GetService() == "" {
		return health.Server
	}
	return req.GetService()
}

// target fills in what an empty field of the request means.
func (m *Monitoring) target(req *monitoringpb.MetricRequest) (hostname, metricType string) {
	hostname, metricType = req.GetHostname(), req.GetMetricType()
	if hostname == "" {
		hostname = m.Hostname
	}
	if metricType == "" {
		metricType = metric.CPU
	}
	return hostname, metricType
}

// latest is Live.Latest, and for a host that has been silent since the server
// started its last sample from history.
func (m *Monitoring) latest(ctx context.Context, hostname, metricType string) (metric.Sample, error) {
	sample, err := m.Live.Latest(hostname, metricType)
	if !is[*metric.UnknownHostError](err) {
		return sample, err
	}
	if seen, ok := m.Hosts.LastSeen(hostname); ok {
		return m.History.Newest(ctx, hostname, metricType, seen)
	}
	if hostname == m.Hostname {
		err = &metric.NoSampleError{Type: metricType, Host: hostname}
	}
	return sample, err
}

func (m *Monitoring) response(s metric.Sample) *monitoringpb.MetricResponse {
	return &monitoringpb.MetricResponse{
		Hostname:   s.Series.Host,
		MetricType: s.Series.Type,
		Value:      s.Value,
		Timestamp:  time.UnixMilli(s.Time).Unix(),
		Unit:       string(m.Types.Unit(s.Series.Type)),
	}
}
