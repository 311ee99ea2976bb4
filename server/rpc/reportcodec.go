package rpc

import (
	"bytes"
	"context"
	"io"
	"sync"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// ReportCodec is protobuf's binary format, in which it decodes reports faster than
// the codec that it embeds, and leaves all else to that. An agent names the same
// series again in each stream of ten seconds, and so do a thousand agents: a Series
// whose bytes have come before is the same message again, and rounds with the same
// series share their numbers. Who receives a report must not change it.
type ReportCodec struct {
	connect.StableCodec
	known   knownSeries
	buffers sync.Pool
}

// MarshalWrite implements [connect.Codec]. A live update that many streams send is
// encoded already; see message.
func (c *ReportCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if m, ok := msg.(*monitoringv1.SubscribeResponse); ok && m.Update == nil {
		if encoded := m.ProtoReflect().GetUnknown(); len(encoded) > 0 {
			_, err := dst.Write(encoded)
			return err
		}
	}
	return c.StableCodec.MarshalWrite(ctx, dst, msg)
}

// Bounds of what a ReportCodec remembers: 8 MB, were each as long as it may be.
const (
	halfKnown    = 4096
	longestKnown = 512 // bytes
)

// NewReportCodec makes one of a codec of protobuf's binary format.
func NewReportCodec(binary connect.StableCodec) *ReportCodec {
	return &ReportCodec{StableCodec: binary}
}

// UnmarshalRead implements [connect.Codec].
func (c *ReportCodec) UnmarshalRead(ctx context.Context, src io.Reader, msg any) error {
	req, ok := msg.(*monitoringv1.ReportRequest)
	if !ok {
		return c.StableCodec.UnmarshalRead(ctx, src, msg)
	}
	buf, ok := c.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer c.buffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(src); err != nil {
		return err
	}
	return c.report(buf.Bytes(), req)
}

// Numbers of fields in ingest.proto, series.proto and timestamp.proto.
const (
	reportSeries     = 2
	reportSamples    = 3
	definitionID     = 1
	definitionSeries = 2
	samplesTime      = 1
	samplesSeriesIDs = 2
	samplesValues    = 3
	timestampSeconds = 1
	timestampNanos   = 2
)

// report decodes a report into req, which keeps nothing of data. What is neither a
// definition of a series nor samples is left to the generated code.
func (c *ReportCodec) report(data []byte, req *monitoringv1.ReportRequest) error {
	var columns sampleColumns
	from, at := 0, 0 // what lies between is for the generated code
	others := func() error { return proto.UnmarshalOptions{Merge: true}.Unmarshal(data[from:at], req) }
	for at < len(data) {
		number, kind, tag := protowire.ConsumeTag(data[at:])
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(number, kind, data[at+tag:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		end := at + tag + size
		if kind != protowire.BytesType || number != reportSeries && number != reportSamples {
			at = end
			continue
		}
		if from < at {
			if err := others(); err != nil {
				return err
			}
		}
		content, _ := protowire.ConsumeBytes(data[at+tag:])
		switch number {
		case reportSeries:
			def, err := c.definition(content)
			if err != nil {
				return err
			}
			req.Series = append(req.Series, def)
		case reportSamples:
			samples, err := columns.samples(content, len(content)+len(data)-end)
			if err != nil {
				return err
			}
			req.Samples = append(req.Samples, samples)
		}
		from, at = end, end
	}
	return others()
}

// definition decodes one. The generated code takes what is not as agents write it.
func (c *ReportCodec) definition(data []byte) (*monitoringv1.SeriesDefinition, error) {
	def := &monitoringv1.SeriesDefinition{}
	for left := data; len(left) > 0; {
		number, kind, n := protowire.ConsumeTag(left)
		left = left[max(n, 0):]
		switch {
		case number == definitionID && kind == protowire.VarintType:
			var id uint64
			if id, n = protowire.ConsumeVarint(left); n >= 0 {
				def.Id = uint32(id) //nolint:gosec // cut as the generated code does
			}
		case number == definitionSeries && kind == protowire.BytesType && def.Series == nil:
			var series []byte
			var err error
			if series, n = protowire.ConsumeBytes(left); n >= 0 {
				if def.Series, err = c.known.get(series); err != nil {
					return nil, err
				}
			}
		default:
			n = -1
		}
		if n < 0 {
			def = &monitoringv1.SeriesDefinition{}
			return def, proto.Unmarshal(data, def)
		}
		left = left[n:]
	}
	return def, nil
}

// ReportObeys reports whether a message is a report that obeys the constraints of
// ingest.proto and series.proto: the generic check would be a fifteenth of what it
// costs to take one in. Of any other message it says no, which means that it must be
// looked at.
func ReportObeys(m proto.Message) bool {
	req, ok := m.(*monitoringv1.ReportRequest)
	if !ok || req.Reporter != nil && protovalidate.Validate(req.Reporter) != nil {
		return false
	}
	for _, def := range req.Series {
		if def.GetSeries() == nil {
			return false
		}
	}
	for _, samples := range req.Samples {
		if samples.GetTime() == nil || len(samples.SeriesIds) != len(samples.Values) {
			return false
		}
	}
	return true
}

// knownSeries are messages by their bytes, those that came of late: when the younger
// half is full the older one is forgotten.
type knownSeries struct {
	mu         sync.Mutex
	young, old map[string]*monitoringv1.Series
}

// get returns the message that the bytes encode, which is not to be changed.
func (k *knownSeries) get(data []byte) (*monitoringv1.Series, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.young[string(data)]; s != nil {
		return s, nil
	}
	s := k.old[string(data)]
	if s == nil {
		s = &monitoringv1.Series{}
		if err := proto.Unmarshal(data, s); err != nil {
			return nil, err
		}
	}
	if len(data) > longestKnown {
		return s, nil
	}
	if k.young == nil || len(k.young) == halfKnown {
		k.young, k.old = map[string]*monitoringv1.Series{}, k.young
	}
	k.young[string(data)] = s
	return s, nil
}
