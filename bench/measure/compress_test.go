package main

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
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

// packing is one way to pack an answer, and to unpack it.
type packing struct {
	name string
	w    interface {
		io.WriteCloser
		Reset(to io.Writer)
	}
	unpack func(from io.Reader) (io.Reader, error)
}

// packings are what was weighed against each other.
func packings(b *testing.B) []packing {
	b.Helper()
	standard := func(from io.Reader) (io.Reader, error) { return stdgzip.NewReader(from) }
	other := func(from io.Reader) (io.Reader, error) { return gzip.NewReader(from) }
	std := func(level int) *stdgzip.Writer { w, _ := stdgzip.NewWriterLevel(nil, level); return w }
	klauspost := func(level int) *gzip.Writer { w, _ := gzip.NewWriterLevel(nil, level); return w }
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	return []packing{
		{"std-6", std(6), standard}, {"std-1", std(1), standard},
		{"klauspost-6", klauspost(6), other}, {"klauspost-2", klauspost(2), other}, {"klauspost-1", klauspost(1), other},
		{"klauspost-huffman", klauspost(gzip.HuffmanOnly), other}, {"klauspost-stateless", klauspost(gzip.StatelessCompression), other},
		{"zstd-fastest", z, func(from io.Reader) (io.Reader, error) { return zstd.NewReader(from, zstd.WithDecoderConcurrency(1)) }},
		{"s2", s2.NewWriter(nil, s2.WriterConcurrency(1)), func(from io.Reader) (io.Reader, error) { return s2.NewReader(from), nil }},
	}
}

// BenchmarkCompress tells what packing costs: the answer to a query, which a server
// packs and a client unpacks, and the report of an agent, which a server unpacks.
func BenchmarkCompress(b *testing.B) {
	body := answer(b)
	var out bytes.Buffer
	for _, p := range packings(b) {
		b.Run("answer/"+p.name+"/pack", func(b *testing.B) {
			for b.Loop() {
				out.Reset()
				p.w.Reset(&out)
				if _, err := p.w.Write(body); err != nil {
					b.Fatal(err)
				}
				if err := p.w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(body)), "B/plain")
			b.ReportMetric(float64(out.Len()), "B/packed")
		})
		b.Run("answer/"+p.name+"/unpack", func(b *testing.B) {
			for b.Loop() {
				r, err := p.unpack(bytes.NewReader(out.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(body)) {
					b.Fatal(n, err)
				}
			}
		})
	}
	benchmarkReport(b)
}

// benchmarkReport unpacks the report of an agent by the standard library and by
// klauspost/compress.
func benchmarkReport(b *testing.B) {
	b.Helper()
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
