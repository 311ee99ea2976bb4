package rpc

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// sampleColumns are the columns of a report's samples. Rounds with the same series, as
// most are, have one slice of numbers in common, and all rounds one array of values.
type sampleColumns struct {
	encoded []byte // the numbers of the round before
	ids     []uint32
	values  []float64
}

// samples decodes a round, behind which there are so many bytes more, its own
// included. The generated code takes what is not as agents write it.
func (c *sampleColumns) samples(data []byte, left int) (*monitoringv1.Samples, error) {
	var at, ids, values []byte
	for rest := data; len(rest) > 0; {
		number, kind, tag := protowire.ConsumeTag(rest)
		content, n := protowire.ConsumeBytes(rest[max(tag, 0):])
		var field *[]byte
		switch number {
		case samplesTime:
			field = &at
		case samplesSeriesIDs:
			field = &ids
		case samplesValues:
			field = &values
		}
		if tag < 0 || n < 0 || kind != protowire.BytesType || field == nil || *field != nil {
			return generated(data)
		}
		*field, rest = content, rest[tag+n:]
	}
	when := timeOf(at)
	if at == nil || when == nil || len(values)%8 != 0 || !c.numbers(ids) {
		return generated(data)
	}
	return &monitoringv1.Samples{Time: when, SeriesIds: slices.Clip(c.ids), Values: c.floats(values, left)}, nil
}

func generated(data []byte) (*monitoringv1.Samples, error) {
	samples := &monitoringv1.Samples{}
	return samples, proto.Unmarshal(data, samples)
}

// timeOf decodes a time; nil if it is not written as agents do.
func timeOf(data []byte) *timestamppb.Timestamp {
	t := &timestamppb.Timestamp{}
	for len(data) > 0 {
		number, kind, tag := protowire.ConsumeTag(data)
		value, n := protowire.ConsumeVarint(data[max(tag, 0):])
		switch {
		case tag < 0 || n < 0 || kind != protowire.VarintType:
			return nil
		case number == timestampSeconds:
			t.Seconds = int64(value) //nolint:gosec // as the generated code does
		case number == timestampNanos:
			t.Nanos = int32(value) //nolint:gosec // cut as the generated code does
		default:
			return nil
		}
		data = data[tag+n:]
	}
	return t
}

// numbers decodes the round's numbers, which may be those of the round before.
func (c *sampleColumns) numbers(data []byte) bool {
	if len(data) > 0 && bytes.Equal(data, c.encoded) {
		return true
	}
	n := 0
	for _, b := range data {
		if b < 0x80 {
			n++ // each ends with such a byte
		}
	}
	c.encoded, c.ids = data, slices.Grow([]uint32(nil), n)
	for len(data) > 0 {
		id, n := protowire.ConsumeVarint(data)
		if n < 0 {
			c.encoded = nil
			return false
		}
		c.ids = append(c.ids, uint32(id)) //nolint:gosec // cut as the generated code does
		data = data[n:]
	}
	return true
}

// floats decodes the round's values, behind whose round there are so many bytes more.
func (c *sampleColumns) floats(data []byte, left int) []float64 {
	n := len(data) / 8
	if cap(c.values)-len(c.values) < n {
		room := n
		if left > 2*len(data) {
			room = left / 8 // for the rounds to come, too
		}
		c.values = make([]float64, 0, room)
	}
	first := len(c.values)
	for ; len(data) > 0; data = data[8:] {
		c.values = append(c.values, math.Float64frombits(binary.LittleEndian.Uint64(data)))
	}
	return c.values[first:len(c.values):len(c.values)]
}
