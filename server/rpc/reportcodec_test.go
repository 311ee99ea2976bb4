package rpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

func newCodec() *ReportCodec { return NewReportCodec(connectproto.NewBinaryCodec()) }

func encode(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func definition(id uint32, metricType string, labels map[string]string) *monitoringv1.SeriesDefinition {
	return &monitoringv1.SeriesDefinition{Id: id, Series: &monitoringv1.Series{MetricType: metricType, Labels: labels, Unit: "percent"}}
}

// reports are encodings as agents send them, and others that mean something.
func reports(tb testing.TB) [][]byte {
	tb.Helper()
	who := &monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: "web-1", Tags: map[string]string{"env": "prod"}}}
	names := &monitoringv1.ReportRequest{Series: []*monitoringv1.SeriesDefinition{
		definition(0, "cpu", nil), definition(7, "cpu_core", map[string]string{"core": "0", "socket": "1"}), definition(1<<31, "cpu", nil),
	}}
	values := &monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{
		{Time: timestamppb.Now(), SeriesIds: []uint32{0, 7, 1 << 31}, Values: []float64{1, 2.5, -3}},
	}}
	all := [][]byte{nil, encode(tb, who), encode(tb, names), encode(tb, values)}
	joined := bytes.Join([][]byte{all[1], all[2], all[3], all[2], all[3]}, nil)
	all = append(all, joined, joined[:len(joined)-1], append(bytes.Clone(joined), 0xff))
	define := func(parts ...[]byte) {
		field := protowire.AppendTag(nil, reportSeries, protowire.BytesType)
		all = append(all, protowire.AppendBytes(field, bytes.Join(parts, nil)))
	}
	id := protowire.AppendVarint(protowire.AppendTag(nil, definitionID, protowire.VarintType), 1<<40+3)
	series := func(s *monitoringv1.Series) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, definitionSeries, protowire.BytesType), encode(tb, s))
	}
	cpu, unit := series(&monitoringv1.Series{MetricType: "cpu"}), series(&monitoringv1.Series{Unit: "percent"})
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 5)
	rounds := &monitoringv1.ReportRequest{}
	for i := range 5 {
		ids := []uint32{0, 300, 1 << 31}
		if i == 3 {
			ids = []uint32{0, 1, 2}
		}
		at := &timestamppb.Timestamp{Seconds: int64(i) - 2, Nanos: int32(i * 1000)}
		rounds.Samples = append(rounds.Samples, &monitoringv1.Samples{Time: at, SeriesIds: ids, Values: []float64{1, math.NaN(), float64(i)}})
	}
	all = append(all, encode(tb, rounds))
	bytesField := func(number protowire.Number, parts ...[]byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(parts, nil))
	}
	round := func(parts ...[]byte) {
		all = append(all, bytesField(reportSamples, parts...), append(encode(tb, rounds), bytesField(reportSamples, parts...)...))
	}
	at, one := bytesField(samplesTime, encode(tb, timestamppb.Now())), binary.LittleEndian.AppendUint64(nil, math.Float64bits(1))
	round()
	round(at)
	round(bytesField(samplesTime))
	round(at, at)
	round(bytesField(samplesTime, id))
	round(bytesField(samplesTime, []byte{8}))
	round(at, bytesField(samplesSeriesIDs, []byte{1}), bytesField(samplesValues, one))
	round(at, bytesField(samplesSeriesIDs, []byte{1}), bytesField(samplesSeriesIDs, []byte{2}), bytesField(samplesValues, one), bytesField(samplesValues, one))
	round(at, bytesField(samplesSeriesIDs, []byte{1, 0x80}), bytesField(samplesValues, one))
	round(at, bytesField(samplesSeriesIDs, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 1}), bytesField(samplesValues, one[:7]))
	round(at, protowire.AppendVarint(protowire.AppendTag(nil, samplesSeriesIDs, protowire.VarintType), 1)) // not packed
	round(at, unknown)
	round(at, []byte{0})
	define()
	define(id)
	define(cpu, id, id)
	define(id, cpu, unit) // two parts of one message
	define(id, unknown, cpu)
	define(cpu[:len(cpu)-1])
	define(series(&monitoringv1.Series{MetricType: strings.Repeat("x", 2*longestKnown)}))
	define(protowire.AppendBytes(protowire.AppendTag(nil, definitionSeries, protowire.BytesType), []byte("\x0a\x01\xff"))) // no UTF-8
	return all
}

// sameAsGenerated decodes twice by one codec, as the second time finds what the first
// one left, and compares with what the generated code makes of it.
func sameAsGenerated(tb testing.TB, c *ReportCodec, data []byte) {
	tb.Helper()
	want := &monitoringv1.ReportRequest{}
	failed := proto.Unmarshal(data, want) != nil
	for range 2 {
		got := &monitoringv1.ReportRequest{}
		err := c.UnmarshalRead(tb.Context(), bytes.NewReader(data), got)
		if (err != nil) != failed {
			tb.Fatalf("%x: %v; the generated code fails: %t", data, err, failed)
		}
		if !failed && !proto.Equal(got, want) {
			tb.Fatalf("%x:\n%v\nwant\n%v", data, got, want)
		}
	}
}

func TestReportCodec(t *testing.T) {
	c := newCodec()
	for _, data := range reports(t) {
		sameAsGenerated(t, c, data)
	}
}

func FuzzReportCodec(f *testing.F) {
	for _, data := range reports(f) {
		f.Add(data)
	}
	c := newCodec()
	f.Fuzz(func(t *testing.T, data []byte) { sameAsGenerated(t, c, data) })
}

// TestReportCodecRemembers the series that come again, and no more of them than it
// should, while many streams use it.
func TestReportCodecRemembers(t *testing.T) {
	c := newCodec()
	decode := func(defs ...*monitoringv1.SeriesDefinition) []*monitoringv1.SeriesDefinition {
		got := &monitoringv1.ReportRequest{}
		if err := c.UnmarshalRead(t.Context(), bytes.NewReader(encode(t, &monitoringv1.ReportRequest{Series: defs})), got); err != nil {
			t.Error(err)
		}
		return got.GetSeries()
	}
	first := decode(definition(1, "cpu", nil))[0]
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range halfKnown {
				decode(definition(uint32(i), fmt.Sprintf("m%d_%d", worker, i), nil))
				if again := decode(definition(2, "cpu", nil))[0]; again.GetSeries() != first.GetSeries() || again.GetId() != 2 {
					t.Errorf("%v at %p came again as %v at %p", first, first.GetSeries(), again, again.GetSeries())
					return
				}
			}
		})
	}
	all.Wait()
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	if n := len(c.known.young) + len(c.known.old); n > 2*halfKnown {
		t.Errorf("%d series are remembered; want at most %d", n, 2*halfKnown)
	}
}

// TestReportObeys: whom it lets through has nothing against it, and what agents send
// is let through.
func TestReportObeys(t *testing.T) {
	now, series := timestamppb.Now(), &monitoringv1.Series{MetricType: "cpu"}
	f := func(m proto.Message, obeys, valid bool) {
		t.Helper()
		if got := ReportObeys(m); got != obeys {
			t.Errorf("%v obeys: %t", m, got)
		}
		if err := protovalidate.Validate(m); (err == nil) != valid {
			t.Errorf("%v: %v", m, err)
		}
	}
	f(&monitoringv1.ReportRequest{}, true, true)
	f(&monitoringv1.ReportRequest{
		Series:  []*monitoringv1.SeriesDefinition{{Series: series}, {Id: 1, Series: &monitoringv1.Series{}}},
		Samples: []*monitoringv1.Samples{{Time: now, SeriesIds: []uint32{1}, Values: []float64{2}}, {Time: &timestamppb.Timestamp{}}},
	}, true, true)
	f(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: "web-1"}}, true, true)
	f(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{}}, false, false)
	f(&monitoringv1.ReportRequest{Series: []*monitoringv1.SeriesDefinition{{Series: series}, {}}}, false, false)
	f(&monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{{}}}, false, false)
	f(&monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{{Time: now, Values: []float64{2}}}}, false, false)
	f(&monitoringv1.ReportBatchRequest{Samples: []*monitoringv1.CustomSample{{}}}, false, true)
}

// TestReportObeysKnowsAll the constraints that a report is under, but for those on its
// reporter, which it asks the generic check about.
func TestReportObeysKnowsAll(t *testing.T) {
	var found []string
	seen := map[protoreflect.FullName]bool{new(monitoringv1.Reporter).ProtoReflect().Descriptor().FullName(): true}
	var look func(protoreflect.MessageDescriptor)
	look = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		if proto.HasExtension(m.Options(), validate.E_Message) {
			found = append(found, string(m.FullName()))
		}
		for i := range m.Fields().Len() {
			field := m.Fields().Get(i)
			if proto.HasExtension(field.Options(), validate.E_Field) {
				found = append(found, string(field.FullName()))
			}
			if field.Message() != nil {
				look(field.Message())
			}
		}
	}
	look(new(monitoringv1.ReportRequest).ProtoReflect().Descriptor())
	want := []string{"monitoring.v1.SeriesDefinition.series", "monitoring.v1.Samples", "monitoring.v1.Samples.time"}
	if !slices.Equal(found, want) {
		t.Errorf("constraints on %q; ReportObeys knows of %q", found, want)
	}
}
