package rpc

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"
)

// teller makes the updates of one stream. A series is named once a stream, and told
// by its number from then on; the numbers are those of all streams with the same
// choice.
type teller struct {
	service *LiveService
	sub     *live.Subscription
	told    uint32 // the series with smaller numbers have been named
}

// updates packs samples in as many updates as they need, at least one.
func (t *teller) updates(samples []metric.Sample, dropped int, snapshot bool) []*monitoringv1.Update {
	var all []*monitoringv1.Update
	for {
		part := samples[:min(len(samples), updateSamples)]
		samples = samples[len(part):]
		numbers, most := t.sub.Number(part)
		u := pack(part, numbers)
		u.Series = t.name(most)
		u.Dropped = uint64(dropped) //nolint:gosec // a count
		dropped = 0
		u.SnapshotComplete = snapshot && len(samples) == 0
		all = append(all, u)
		if len(samples) == 0 {
			return all
		}
	}
}

// name defines the series below most that the stream does not know yet.
func (t *teller) name(most uint32) []*monitoringv1.SeriesDefinition {
	if most <= t.told {
		return nil
	}
	var named []*monitoringv1.SeriesDefinition
	for _, s := range t.sub.Series(t.told, most) {
		if s != nil {
			named = append(named, &monitoringv1.SeriesDefinition{Id: t.told, Series: t.service.series(s)})
		}
		t.told++
	}
	return named
}

// shared is the message of a round for all streams to which its series are known;
// nil where they are not to this one, or where it takes more than one.
func (t *teller) shared(r *live.Round) *message {
	numbers, most := r.Numbers()
	if most > t.told || len(numbers) > updateSamples {
		return nil
	}
	m, _ := r.Made(func() any { return newSharedMessage(pack(r.Samples(), numbers)) }).(*message)
	return m
}

// pack puts samples into an update that names no series.
func pack(samples []metric.Sample, numbers []uint32) *monitoringv1.Update {
	u := &monitoringv1.Update{ServerTime: timestamppb.Now()}
	var group *monitoringv1.Samples
	var at int64
	for i, s := range samples {
		if group == nil || s.Time != at {
			at = s.Time
			group = &monitoringv1.Samples{Time: timestamppb.New(time.UnixMilli(at))}
			u.Samples = append(u.Samples, group)
		}
		group.SeriesIds = append(group.SeriesIds, numbers[i])
		group.Values = append(group.Values, s.Value)
	}
	return u
}

// message is an update on its way. One that is shared has been encoded: what a
// stream of protobuf sends has the bytes as its unknown fields, which cost no more
// than to be copied.
type message struct {
	update    *monitoringv1.Update
	subscribe *monitoringv1.SubscribeResponse
	watch     *monitoringv1.WatchResponse
}

func newSharedMessage(u *monitoringv1.Update) *message {
	m := &message{update: u}
	plain := &monitoringv1.SubscribeResponse{Update: u}   // on the wire the same as a WatchResponse
	if encoded, err := proto.Marshal(plain); err == nil { // a name that is no UTF-8 fails later too, where it is told
		m.subscribe, m.watch = &monitoringv1.SubscribeResponse{}, &monitoringv1.WatchResponse{}
		m.subscribe.ProtoReflect().SetUnknown(encoded)
		m.watch.ProtoReflect().SetUnknown(encoded)
	}
	return m
}

func (m *message) forSubscribe(encoded bool) *monitoringv1.SubscribeResponse {
	if encoded && m.subscribe != nil {
		return m.subscribe
	}
	return &monitoringv1.SubscribeResponse{Update: m.update}
}

func (m *message) forWatch(encoded bool) *monitoringv1.WatchResponse {
	if encoded && m.watch != nil {
		return m.watch
	}
	return &monitoringv1.WatchResponse{Update: m.update}
}

// speaksProto reports whether a call's messages are protobuf.
func speaksProto(ctx context.Context) bool {
	info, ok := connect.CallInfoForServerContext(ctx)
	return ok && info.Codec == connect.CodecNameProto
}

func (l *LiveService) series(s *metric.Series) *monitoringv1.Series {
	return seriesMessage(s, l.Types.Unit(s.Type))
}

func seriesMessage(s *metric.Series, unit metric.Unit) *monitoringv1.Series {
	return &monitoringv1.Series{
		MetricType: s.Type,
		Hostname:   s.Host,
		Labels:     labelMap(s.Labels),
		Unit:       string(unit),
	}
}

func labelMap(labels metric.Labels) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	m := make(map[string]string, len(labels))
	for _, l := range labels {
		m[l.Name] = l.Value
	}
	return m
}

func labelsOf(m map[string]string) metric.Labels {
	pairs := make([]string, 0, 2*len(m))
	for name, value := range m {
		pairs = append(pairs, name, value)
	}
	return metric.NewLabels(pairs...)
}
