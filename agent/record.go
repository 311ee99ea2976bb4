package agent

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// recorder turns rounds into records of the spool. A record is a ReportRequest
// with samples, in protobuf; the preamble that it needs is a ReportRequest with
// the definitions of their series. The bytes of messages of one type, one behind
// the other, are a message again, so the sender joins them as they are.
type recorder struct {
	spool *spool.Spool
	ids   map[*metric.Series]uint32
	defs  monitoringv1.ReportRequest

	times *Times
	lost  int // rounds that could not be kept, since the last that could

	columns *monitoringv1.Samples // the last round

	buf []byte
}

func newRecorder(s *spool.Spool) *recorder {
	return &recorder{spool: s, ids: map[*metric.Series]uint32{}, times: NewTimes(s.Stats().Newest)}
}

// record keeps one round, all samples of which carry one time.
func (r *recorder) record(samples []metric.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	if err := r.define(samples); err != nil {
		r.lost++
		r.columns = nil
		return err
	}
	at := r.times.Unique(samples[0].Time)
	r.columns = &monitoringv1.Samples{
		Time:      timestamppb.New(time.UnixMilli(at)),
		SeriesIds: make([]uint32, len(samples)),
		Values:    make([]float64, len(samples)),
	}
	for i, s := range samples {
		r.columns.SeriesIds[i] = r.ids[s.Series]
		r.columns.Values[i] = s.Value
	}
	var err error
	r.buf, err = proto.MarshalOptions{}.MarshalAppend(r.buf[:0], &monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{r.columns}})
	if err == nil {
		_, err = r.spool.Append(at, r.buf)
	}
	if err != nil {
		r.lost++
	}
	return err
}

// unkept is the last round with all that it needs to be understood, for sending it
// without the spool; nil if it has none.
func (r *recorder) unkept() *monitoringv1.ReportRequest {
	if r.columns == nil {
		return nil
	}
	return &monitoringv1.ReportRequest{Series: r.defs.Series, Samples: []*monitoringv1.Samples{r.columns}}
}

// define numbers the series that have no number yet. When most numbers belong to
// series that are gone, it begins anew.
func (r *recorder) define(samples []metric.Sample) error {
	if len(r.ids) > 2*len(samples)+64 {
		clear(r.ids)
		r.defs.Series = nil
	}
	before := len(r.ids)
	for _, s := range samples {
		if _, known := r.ids[s.Series]; known {
			continue
		}
		id := uint32(len(r.ids))
		r.ids[s.Series] = id
		r.defs.Series = append(r.defs.Series, &monitoringv1.SeriesDefinition{Id: id, Series: definition(s.Series)})
	}
	if len(r.ids) == before {
		return nil
	}
	preamble, err := proto.Marshal(&r.defs)
	if err == nil {
		err = r.spool.SetPreamble(preamble)
	}
	if err != nil { // the next round tries again
		clear(r.ids)
		r.defs.Series = nil
	}
	return err
}

// definition describes a series to the server. The host is the reporter's, and
// the unit one that the server may not know yet.
func definition(s *metric.Series) *monitoringv1.Series {
	out := &monitoringv1.Series{MetricType: s.Type}
	if t, ok := metric.Lookup(s.Type); ok {
		out.Unit = string(t.Unit)
	}
	if len(s.Labels) > 0 {
		out.Labels = make(map[string]string, len(s.Labels))
	}
	for _, l := range s.Labels {
		out.Labels[l.Name] = l.Value
	}
	return out
}
