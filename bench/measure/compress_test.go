package main

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// answer is what QueryRange gives for a hundred series in 500 points.
func answer(b *testing.B) []byte {
	b.Helper()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	res := &monitoringv1.QueryRangeResponse{}
	for _, h := range simulate.Fleet(1, 100, 1) {
		series := &monitoringv1.RangeSeries{}
		for p := range 500 {
			at := begin.Add(time.Duration(p) * 180 * time.Second)
			var sum, least, most float64
			for i := range 180 {
				_, v := h.Next(at.Add(time.Duration(i)*time.Second).UnixMilli(), nil, nil)
				if i == 0 {
					least, most = v[0], v[0]
				}
				sum, least, most = sum+v[0], min(least, v[0]), max(most, v[0])
			}
			series.Times = append(series.Times, float64(at.Unix()))
			series.Averages, series.Minima, series.Maxima = append(series.Averages, sum/180), append(series.Minima, least), append(series.Maxima, most)
			series.Counts = append(series.Counts, 180)
		}
		res.Series = append(res.Series, series)
	}
	body, err := proto.Marshal(res)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// report is what an agent of 250 series sends each second.
func report(b *testing.B) []byte {
	b.Helper()
	h := simulate.NewHost(1, 0, 250)
	h.Round(1_800_000_000_000)
	body, err := proto.Marshal(&monitoringv1.ReportRequest{Samples: []*monitoringv1.Samples{h.Round(1_800_000_001_000)}})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// BenchmarkCompress tells what gzip costs a server: the answer to a query, which
// it compresses, and the report of an agent, which it unpacks; by the standard
// library and by klauspost/compress, at several levels.
func BenchmarkCompress(b *testing.B) {
	type writer interface {
		io.WriteCloser
		Reset(io.Writer)
	}
	standard := func(level int) writer { w, _ := stdgzip.NewWriterLevel(nil, level); return w }
	other := func(level int) writer { w, _ := gzip.NewWriterLevel(nil, level); return w }
	for _, c := range []struct {
		name string
		w    writer
	}{{"std-6", standard(6)}, {"std-1", standard(1)}, {"klauspost-6", other(6)}, {"klauspost-2", other(2)}, {"klauspost-1", other(1)}, {"klauspost-stateless", other(gzip.StatelessCompression)}} {
		b.Run("answer/"+c.name, func(b *testing.B) {
			body := answer(b)
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				c.w.Reset(&out)
				if _, err := c.w.Write(body); err != nil {
					b.Fatal(err)
				}
				if err := c.w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(body)), "B/plain")
			b.ReportMetric(float64(out.Len()), "B/packed")
		})
	}
	body := report(b)
	var packed bytes.Buffer
	w := stdgzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	unpack := func(b *testing.B, r interface {
		io.Reader
		Reset(io.Reader) error
	}) {
		for b.Loop() {
			if err := r.Reset(bytes.NewReader(packed.Bytes())); err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(body)) {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(len(body)), "B/plain")
		b.ReportMetric(float64(packed.Len()), "B/packed")
	}
	b.Run("report/std", func(b *testing.B) { unpack(b, new(stdgzip.Reader)) })
	b.Run("report/klauspost", func(b *testing.B) { unpack(b, new(gzip.Reader)) })
}
