package rpc

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect/v2"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/ingest"
)

// Ingest takes samples in.
type Ingest interface {
	Open(fleet.Reporter) (*ingest.Session, error)
	Write(ctx context.Context, hostname string, samples []metric.Sample) (ingest.Receipt, error)
}

// reportIdle is how long a report may be silent.
const reportIdle = 5 * time.Minute

// DescribedTypes knows what is said of metric types.
type DescribedTypes interface {
	Describe(metric.Type)
	Type(name string) (t metric.Type, builtIn, known bool)
}

// IngestService implements monitoring.v1.IngestService.
type IngestService struct {
	// Hostname is the host that an empty hostname in a batch means.
	Hostname string
	Ingest   Ingest
	Types    DescribedTypes
}

var _ monitoringv1connect.IngestServiceHandler = (*IngestService)(nil)

// Report stores batches as they come and acknowledges them all at the end.
func (s *IngestService) Report(ctx context.Context, stream monitoringv1connect.IngestServiceReportServerStream) (*monitoringv1.ReportResponse, error) {
	requests := receiveAll(ctx, stream.Receive)
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	idle := time.AfterFunc(reportIdle, func() { giveUp(errReportIdle) })
	defer idle.Stop()
	first, err := next(waiting, requests)
	if errors.Is(err, io.EOF) {
		return &monitoringv1.ReportResponse{Receipt: &monitoringv1.Receipt{}}, nil
	}
	if err != nil {
		return nil, err
	}
	if first.GetReporter() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, "the first message of a report must have the reporter")
	}
	who := reporter(first.GetReporter())
	if err := account.CallerFrom(ctx).MayReport(who.Hostname, who.ID); err != nil {
		return nil, err
	}
	session, err := s.Ingest.Open(who)
	if is[*ingest.HostLimitError](err) {
		return nil, err
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err.Error())
	}
	for req := first; ; {
		idle.Stop()
		if err := s.take(ctx, session, req); err != nil {
			return nil, err
		}
		idle.Reset(reportIdle)
		req, err = next(waiting, requests)
		if errors.Is(err, io.EOF) {
			got, err := session.Receipt()
			if err != nil {
				return nil, err
			}
			return &monitoringv1.ReportResponse{Receipt: receipt(got)}, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// errReportIdle ends a report that has been silent for too long.
var errReportIdle = connect.Errorf(connect.CodeDeadlineExceeded, "nothing has come for %s; end the stream for its acknowledgement and open another", reportIdle)

// take stores one message.
func (s *IngestService) take(ctx context.Context, session *ingest.Session, req *monitoringv1.ReportRequest) error {
	for _, def := range req.GetSeries() {
		in := def.GetSeries() // the same message for all that are spelled alike: see ReportCodec
		if session.DefineAgain(def.GetId(), in) {
			continue
		}
		series := metric.NewSeries(in.GetMetricType(), session.Host(), labelsOf(in.GetLabels()))
		t := s.typeOf(series, in.GetUnit(), monitoringv1.MetricKind_METRIC_KIND_UNSPECIFIED)
		if err := session.Define(def.GetId(), series, t, in); err != nil {
			return connect.NewError(connect.CodeInvalidArgument, err.Error())
		}
	}
	rounds := make([]ingest.Round, len(req.GetSamples()))
	for i, samples := range req.GetSamples() {
		rounds[i] = ingest.Round{Time: samples.GetTime().AsTime().UnixMilli(), IDs: samples.GetSeriesIds(), Values: samples.GetValues()}
	}
	session.Add(rounds...)
	return session.Flush(ctx)
}

// ReportBatch stores a few samples.
func (s *IngestService) ReportBatch(ctx context.Context, req *monitoringv1.ReportBatchRequest) (*monitoringv1.ReportBatchResponse, error) {
	hostname := req.GetHostname()
	if hostname == "" {
		hostname = s.Hostname
	}
	if err := metric.CheckHost(hostname); err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err.Error())
	}
	if err := account.CallerFrom(ctx).MayReport(hostname, ""); err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	samples := make([]metric.Sample, 0, len(req.GetSamples()))
	for _, in := range req.GetSamples() {
		series := metric.NewSeries(in.GetMetricType(), hostname, labelsOf(in.GetLabels()))
		at := now
		if in.GetTime() != nil {
			at = in.GetTime().AsTime().UnixMilli()
		}
		samples = append(samples, metric.Sample{Series: series, Time: at, Value: in.GetValue()})
	}
	got, err := s.Ingest.Write(ctx, hostname, samples)
	if err != nil {
		return nil, err
	}
	s.describe(req.GetSamples(), samples, got)
	return &monitoringv1.ReportBatchResponse{Receipt: receipt(got)}, nil
}

// describe passes on what a batch says of its metric types. A refused sample has
// no say, nor has a batch with more of them than the receipt spells out.
func (s *IngestService) describe(in []*monitoringv1.CustomSample, samples []metric.Sample, got ingest.Receipt) {
	if got.Rejected > uint64(len(got.Rejections)) {
		return
	}
	refused := map[uint64]bool{}
	for _, r := range got.Rejections {
		refused[r.Index] = true
	}
	for i, c := range in {
		if refused[uint64(i)] {
			continue
		}
		t := s.typeOf(samples[i].Series, c.GetUnit(), c.GetKind())
		t.Help = c.GetHelp()
		s.Types.Describe(t)
	}
}

// typeOf is what a sender tells of a series' type. A kind that it does not name
// stays what it was.
func (s *IngestService) typeOf(series *metric.Series, unit string, kind monitoringv1.MetricKind) metric.Type {
	t := metric.Type{Name: series.Type, Unit: metric.Unit(unit), Labels: slices.Grow([]string(nil), len(series.Labels))}
	switch kind {
	case monitoringv1.MetricKind_METRIC_KIND_COUNTER:
		t.Kind = metric.Counter
	case monitoringv1.MetricKind_METRIC_KIND_GAUGE:
		t.Kind = metric.Gauge
	default:
		known, _, _ := s.Types.Type(series.Type)
		t.Kind = known.Kind
	}
	for _, l := range series.Labels {
		t.Labels = append(t.Labels, l.Name)
	}
	return t
}

func reporter(in *monitoringv1.Reporter) fleet.Reporter {
	return fleet.Reporter{
		Hostname:     in.GetHostname(),
		ID:           in.GetHostId(),
		OS:           in.GetOs(),
		Platform:     in.GetPlatform(),
		Architecture: in.GetArchitecture(),
		AgentVersion: in.GetAgentVersion(),
		Tags:         in.GetTags(),
		Interval:     in.GetInterval().AsDuration(),
	}
}

func receipt(in ingest.Receipt) *monitoringv1.Receipt {
	out := &monitoringv1.Receipt{
		Stored:     in.Stored,
		Duplicates: in.Duplicates,
		Rejected:   in.Rejected,
		Warnings:   in.Warnings,
	}
	for _, r := range in.Rejections {
		out.Rejections = append(out.Rejections, &monitoringv1.Rejection{Index: r.Index, Series: r.Series, Reason: r.Reason.Error()})
	}
	return out
}
