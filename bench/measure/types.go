package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/bench/internal/recording"
	"github.com/vitals-rpc/vitals/server/store"
)

// encoding packs samples in chunks of at most so many.
type encoding struct {
	name    string
	chunk   func() chunkenc.Chunk
	samples int
}

var encodings = []encoding{
	{"XOR, 120", func() chunkenc.Chunk { return chunkenc.NewXORChunk() }, 120}, // the TSDB's default
	{"XOR2, 120", func() chunkenc.Chunk { return chunkenc.NewXOR2Chunk() }, 120},
	{"XOR, 480", func() chunkenc.Chunk { return chunkenc.NewXORChunk() }, store.SamplesPerChunk}, // the store's
}

// chunkFrame is what a chunk takes beside its bytes: length, encoding and
// checksum in its file, times and place in the index.
const chunkFrame = 13

// typeCost is what the samples of one metric type take in chunks.
type typeCost struct {
	name            string
	series, samples int
	bytes           [3]int // by encoding
	moved           int    // samples whose value differs from the one before
	late            int    // samples whose time is not the interval's after the one before
}

// typeTable shows which metric types take the room.
func typeTable(r *recording.Recording) error {
	total := &typeCost{name: "all"}
	costs := map[string]*typeCost{"": total}
	for _, s := range r.Series {
		c := costs[s.Series.Type]
		if c == nil {
			c = &typeCost{name: s.Series.Type}
			costs[c.name] = c
		}
		for _, sum := range []*typeCost{c, total} {
			if err := sum.add(s); err != nil {
				return err
			}
		}
	}
	kept := len(encodings) - 1
	rows := slices.SortedFunc(maps.Values(costs), func(a, b *typeCost) int { return cmp.Compare(b.bytes[kept], a.bytes[kept]) })
	w := tabwriter.NewWriter(os.Stderr, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "type\tseries\tsamples\t")
	for _, e := range encodings {
		fmt.Fprintf(w, "%s\t", e.name)
	}
	fmt.Fprintln(w, "share %\tmoved %\tlate %\t")
	for _, c := range rows {
		n := float64(c.samples)
		fmt.Fprintf(w, "%s\t%d\t%d\t", c.name, c.series, c.samples)
		for _, bytes := range c.bytes {
			fmt.Fprintf(w, "%.2f\t", float64(bytes)/n)
		}
		fmt.Fprintf(w, "%.1f\t%.0f\t%.0f\t\n", 100*float64(c.bytes[kept])/float64(total.bytes[kept]), 100*float64(c.moved)/n, 100*float64(c.late)/n)
	}
	return w.Flush()
}

// add packs a series as the TSDB does.
func (c *typeCost) add(s *recording.Series) error {
	c.series, c.samples = c.series+1, c.samples+len(s.Times)
	for i, e := range encodings {
		for at := 0; at < len(s.Times); at += e.samples {
			chunk := e.chunk()
			app, err := chunk.Appender()
			if err != nil {
				return err
			}
			for j := at; j < min(at+e.samples, len(s.Times)); j++ {
				app.Append(0, s.Times[j], s.Values[j])
			}
			c.bytes[i] += len(chunk.Bytes()) + chunkFrame
		}
	}
	for i := 2; i < len(s.Times); i++ {
		if s.Values[i] != s.Values[i-1] {
			c.moved++
		}
		if s.Times[i]-s.Times[i-1] != s.Times[i-1]-s.Times[i-2] {
			c.late++
		}
	}
	return nil
}
