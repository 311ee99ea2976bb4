package rpc

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/caching"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/query"
	"github.com/vitals-rpc/vitals/server/store"
)

// Fleet knows who reports, and what.
type Fleet interface {
	Types
	Hosts(prefix string) []fleet.Host
	Knows(hostname string) bool
	Type(name string) (t metric.Type, builtIn, known bool)
}

// History answers in buckets.
type History interface {
	Range(context.Context, store.RangeRequest) (store.RangeResult, error)
	// Closed is the time, in milliseconds, before which no sample comes in any more.
	Closed() int64
}

// PromQL answers expressions.
type PromQL interface {
	Instant(ctx context.Context, expr string, at time.Time) (query.Result, error)
	Range(ctx context.Context, expr string, start, end time.Time, step time.Duration) (query.Result, error)
	Selector(text string) ([]*labels.Matcher, error)
	MetricTypes(ctx context.Context, hostname string, start, end time.Time) ([]string, error)
}

// Defaults of requests, as the contract has them.
const (
	defaultRange  = time.Hour
	defaultPoints = 250
	leastStep     = time.Second
	// rangeTimeout bounds QueryRange; PromQL has its own.
	rangeTimeout = 30 * time.Second
	// metricsSince is how far back ListMetrics looks.
	metricsSince = 24 * time.Hour
)

// QueryService implements monitoring.v1.QueryService.
type QueryService struct {
	Fleet   Fleet
	History History
	PromQL  PromQL
}

var _ monitoringv1connect.QueryServiceHandler = (*QueryService)(nil)

// ListHosts returns the hosts that have reported.
func (q *QueryService) ListHosts(_ context.Context, req *monitoringv1.ListHostsRequest) (*monitoringv1.ListHostsResponse, error) {
	res := &monitoringv1.ListHostsResponse{
		StaleAfter: durationpb.New(fleet.StaleAfter),
		DownAfter:  durationpb.New(fleet.DownAfter),
	}
	for _, h := range q.Fleet.Hosts(req.GetHostnamePrefix()) {
		res.Hosts = append(res.Hosts, hostMessage(h))
	}
	return res, nil
}

var hostStatuses = map[fleet.Status]monitoringv1.HostStatus{
	fleet.Up:    monitoringv1.HostStatus_HOST_STATUS_UP,
	fleet.Stale: monitoringv1.HostStatus_HOST_STATUS_STALE,
	fleet.Down:  monitoringv1.HostStatus_HOST_STATUS_DOWN,
}

func hostMessage(h fleet.Host) *monitoringv1.Host {
	var lastSeen *timestamppb.Timestamp
	if !h.LastSeen.IsZero() { // it may have opened a stream and sent nothing yet
		lastSeen = timestamppb.New(h.LastSeen)
	}
	return &monitoringv1.Host{
		Hostname:     h.Hostname,
		Status:       hostStatuses[h.Status],
		FirstSeen:    timestamppb.New(h.FirstSeen),
		LastSeen:     lastSeen,
		Os:           h.OS,
		Platform:     h.Platform,
		Architecture: h.Architecture,
		AgentVersion: h.AgentVersion,
		Tags:         h.Tags,
		Interval:     durationpb.New(h.Interval),
		NameConflict: h.Conflict,
	}
}

// ListMetrics returns the metric types that have samples of the last day.
func (q *QueryService) ListMetrics(ctx context.Context, req *monitoringv1.ListMetricsRequest) (*monitoringv1.ListMetricsResponse, error) {
	if host := req.GetHostname(); host != "" && !q.Fleet.Knows(host) {
		err := &metric.UnknownHostError{Host: host}
		for _, h := range q.Fleet.Hosts("") {
			err.Known = append(err.Known, h.Hostname)
		}
		return nil, err
	}
	now := time.Now()
	names, err := q.PromQL.MetricTypes(ctx, req.GetHostname(), now.Add(-metricsSince), now)
	if err != nil {
		return nil, err
	}
	res := &monitoringv1.ListMetricsResponse{}
	for _, t := range metric.Types() {
		if slices.Contains(names, t.Name) {
			res.Metrics = append(res.Metrics, metricMessage(t, true))
		}
	}
	for _, name := range names {
		t, builtIn, known := q.Fleet.Type(name)
		if builtIn {
			continue
		}
		if !known {
			t = metric.Type{Name: name, Unit: metric.Count}
		}
		res.Metrics = append(res.Metrics, metricMessage(t, false))
	}
	return res, nil
}

func metricMessage(t metric.Type, builtIn bool) *monitoringv1.Metric {
	kind := monitoringv1.MetricKind_METRIC_KIND_GAUGE
	if t.Kind == metric.Counter {
		kind = monitoringv1.MetricKind_METRIC_KIND_COUNTER
	}
	return &monitoringv1.Metric{Name: t.Name, Unit: string(t.Unit), Help: t.Help, Kind: kind, Labels: t.Labels, BuiltIn: builtIn}
}

// QueryRange returns the history of a selector.
func (q *QueryService) QueryRange(ctx context.Context, req *monitoringv1.QueryRangeRequest) (*monitoringv1.QueryRangeResponse, error) {
	matchers, err := q.PromQL.Selector(req.GetSelector())
	if err != nil {
		return nil, err
	}
	end := timeOr(req.GetEnd(), time.Now())
	start := timeOr(req.GetStart(), end.Add(-defaultRange))
	switch {
	case req.GetStart() != nil && !req.GetStart().IsValid() || req.GetEnd() != nil && !req.GetEnd().IsValid():
		return nil, &query.RangeError{Reason: "the start and the end must be times of the years 1 to 9999"}
	case end.Before(start):
		return nil, &query.RangeError{Reason: "the end is before the start"}
	}
	ctx, cancel := context.WithTimeout(ctx, rangeTimeout)
	defer cancel()
	closed := q.History.Closed()
	result, err := q.History.Range(ctx, store.RangeRequest{
		Matchers:  matchers,
		Start:     start.UnixMilli(),
		End:       end.UnixMilli(),
		MaxPoints: int(req.GetMaxPoints()),
	})
	if err != nil {
		return nil, err
	}
	if req.GetEnd() != nil && result.End <= closed {
		caching.Closed(ctx)
	}
	res := &monitoringv1.QueryRangeResponse{Tier: tiers[result.Tier], Step: durationpb.New(time.Duration(result.Step) * time.Millisecond)}
	for _, s := range result.Series {
		res.Series = append(res.Series, &monitoringv1.RangeSeries{
			Series:   seriesMessage(s.Series, q.Fleet.Unit(s.Series.Type)),
			Times:    seconds(s.Times),
			Averages: s.Avg,
			Minima:   s.Min,
			Maxima:   s.Max,
			Counts:   s.Count,
		})
	}
	return res, nil
}

var tiers = map[store.Tier]monitoringv1.Tier{
	store.Raw:    monitoringv1.Tier_TIER_RAW,
	store.Minute: monitoringv1.Tier_TIER_MINUTE,
	store.Hour:   monitoringv1.Tier_TIER_HOUR,
}

// QueryPromQL evaluates an expression.
func (q *QueryService) QueryPromQL(ctx context.Context, req *monitoringv1.QueryPromQLRequest) (*monitoringv1.QueryPromQLResponse, error) {
	closed := q.History.Closed()
	result, err := q.evaluate(ctx, req)
	if err != nil {
		return nil, err
	}
	named := req.GetTime() != nil || req.GetStart() != nil && req.GetEnd() != nil
	if named && result.Newest < closed {
		caching.Closed(ctx)
	}
	res := &monitoringv1.QueryPromQLResponse{
		ResultType: resultTypes[result.Kind],
		Text:       result.Text,
		Warnings:   slices.Concat(result.Warnings, result.Infos),
	}
	for _, s := range result.Series {
		out := &monitoringv1.PromQLSeries{
			Labels: labelMap(s.Labels),
			Times:  make([]float64, len(s.Points)),
			Values: make([]float64, len(s.Points)),
		}
		for i, p := range s.Points {
			out.Times[i], out.Values[i] = inSeconds(p.Time), p.Value
		}
		res.Series = append(res.Series, out)
	}
	return res, nil
}

var resultTypes = map[query.Kind]monitoringv1.ResultType{
	query.Scalar: monitoringv1.ResultType_RESULT_TYPE_SCALAR,
	query.Vector: monitoringv1.ResultType_RESULT_TYPE_VECTOR,
	query.Matrix: monitoringv1.ResultType_RESULT_TYPE_MATRIX,
	query.String: monitoringv1.ResultType_RESULT_TYPE_STRING,
}

func (q *QueryService) evaluate(ctx context.Context, req *monitoringv1.QueryPromQLRequest) (query.Result, error) {
	if req.GetStart() == nil {
		return q.PromQL.Instant(ctx, req.GetQuery(), timeOr(req.GetTime(), time.Now()))
	}
	start, end := req.GetStart().AsTime(), timeOr(req.GetEnd(), time.Now())
	step := req.GetStep().AsDuration()
	if step == 0 {
		step = max(leastStep, (end.Sub(start) / defaultPoints).Round(time.Second))
	}
	return q.PromQL.Range(ctx, req.GetQuery(), start, end, step)
}

func timeOr(t *timestamppb.Timestamp, otherwise time.Time) time.Time {
	if t == nil {
		return otherwise
	}
	return t.AsTime()
}

// seconds turns milliseconds into the seconds that callers get.
func seconds(millis []int64) []float64 {
	out := make([]float64, len(millis))
	for i, t := range millis {
		out[i] = inSeconds(t)
	}
	return out
}

func inSeconds(millis int64) float64 { return float64(millis) / 1000 }
