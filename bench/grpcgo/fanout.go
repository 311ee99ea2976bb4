package main

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// waiting is how many updates may wait for a subscriber; further ones are lost,
// which it is told.
const waiting = 64

// hub keeps the newest sample of each series and hands on what comes in.
type hub struct {
	mu     sync.RWMutex
	series map[seriesKey]*topic
}

type seriesKey struct{ host, metricType string }

// topic is one series: its newest sample and who listens.
type topic struct {
	newest *monitoringv1.Samples
	subs   map[*subscriber]struct{}
}

type subscriber struct {
	updates chan *monitoringv1.SubscribeResponse
	dropped atomic.Uint64
}

func newHub() *hub { return &hub{series: map[seriesKey]*topic{}} }

// topic returns that of a series; the hub's lock must be held.
func (h *hub) topic(key seriesKey) *topic {
	t := h.series[key]
	if t == nil {
		t = &topic{subs: map[*subscriber]struct{}{}}
		h.series[key] = t
	}
	return t
}

// publish makes one message of a sample and gives it to all who listen.
func (h *hub) publish(host string, s *monitoringv1.CustomSample) {
	samples := &monitoringv1.Samples{Time: s.GetTime(), SeriesIds: []uint32{0}, Values: []float64{s.GetValue()}}
	update := &monitoringv1.SubscribeResponse{Update: &monitoringv1.Update{Samples: []*monitoringv1.Samples{samples}, ServerTime: timestamppb.Now()}}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topic(seriesKey{host, s.GetMetricType()})
	t.newest = samples
	for sub := range t.subs {
		select {
		case sub.updates <- update:
		default:
			sub.dropped.Add(1)
		}
	}
}

// subscribe returns what comes from now on and the newest sample, if there is one.
func (h *hub) subscribe(key seriesKey) (sub *subscriber, newest *monitoringv1.Samples, leave func()) {
	sub = &subscriber{updates: make(chan *monitoringv1.SubscribeResponse, waiting)}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topic(key)
	t.subs[sub] = struct{}{}
	return sub, t.newest, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(t.subs, sub)
	}
}

// stream sends the samples of one series until the caller leaves.
func (h *hub) stream(stream grpc.ServerStream) error {
	req := new(monitoringv1.SubscribeRequest)
	if err := stream.RecvMsg(req); err != nil {
		return err
	}
	selector := req.GetSelectors()[0]
	key := seriesKey{selector.GetHostnames()[0], selector.GetMetricTypes()[0]}
	sub, newest, leave := h.subscribe(key)
	defer leave()
	if err := stream.SendMsg(snapshot(key, newest)); err != nil {
		return err
	}
	for {
		select {
		case update := <-sub.updates:
			if err := stream.SendMsg(told(update, sub.dropped.Swap(0))); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// snapshot is the first message: the series and its newest sample.
func snapshot(key seriesKey, newest *monitoringv1.Samples) *monitoringv1.SubscribeResponse {
	u := &monitoringv1.Update{SnapshotComplete: true, ServerTime: timestamppb.Now()}
	if newest != nil {
		series := &monitoringv1.Series{Hostname: key.host, MetricType: key.metricType, Unit: "count"}
		u.Series = []*monitoringv1.SeriesDefinition{{Series: series}}
		u.Samples = []*monitoringv1.Samples{newest}
	}
	return &monitoringv1.SubscribeResponse{Update: u}
}

// told is the update with what was lost before it. All subscribers share an
// update, so it is changed in a copy.
func told(update *monitoringv1.SubscribeResponse, dropped uint64) *monitoringv1.SubscribeResponse {
	if dropped == 0 {
		return update
	}
	u := update.GetUpdate()
	return &monitoringv1.SubscribeResponse{Update: &monitoringv1.Update{Samples: u.GetSamples(), ServerTime: u.GetServerTime(), Dropped: dropped}}
}

// report takes samples in.
func (h *hub) report(req *monitoringv1.ReportBatchRequest) *monitoringv1.ReportBatchResponse {
	for _, s := range req.GetSamples() {
		h.publish(req.GetHostname(), s)
	}
	stored := uint64(len(req.GetSamples()))
	return &monitoringv1.ReportBatchResponse{Receipt: &monitoringv1.Receipt{Stored: stored}}
}

var live = grpc.ServiceDesc{
	ServiceName: "monitoring.v1.LiveService",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Subscribe", ServerStreams: true, Handler: func(srv any, stream grpc.ServerStream) error {
		return srv.(*hub).stream(stream)
	}}},
}

var ingest = grpc.ServiceDesc{
	ServiceName: "monitoring.v1.IngestService",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "ReportBatch", Handler: func(srv any, _ context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		req := new(monitoringv1.ReportBatchRequest)
		if err := dec(req); err != nil {
			return nil, err
		}
		return srv.(*hub).report(req), nil
	}}},
}
