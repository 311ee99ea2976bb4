package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
)

// daySamples are one series' of a day.
const daySamples = int(dayLength / time.Second)

// day is a sample a second of one series of each host.
type day struct {
	start  time.Time // of the first sample
	series []*metric.Series
	values [][]float64 // by host, then by second
}

func newDay(end time.Time, hosts int) *day {
	d := &day{start: end.Add(-dayLength)}
	for _, h := range simulate.Fleet(1, hosts, 1) {
		column := make([]float64, 0, daySamples)
		for i := range daySamples {
			_, column = h.Next(d.at(i), nil, column)
		}
		d.series, d.values = append(d.series, h.Series[0]), append(d.values, column)
	}
	return d
}

// at is the time of a sample, in milliseconds.
func (d *day) at(i int) int64 { return d.start.UnixMilli() + 1000*int64(i) }

// last is the time of the last sample.
func (d *day) last() time.Time { return d.start.Add(dayLength - time.Second) }

// dayBatch is how many seconds are stored or sent together.
const dayBatch = 600

// store puts the day into a store, as it is when its samples have come over the
// day: rolled up, and in blocks where the TSDB makes them.
func (d *day) store(ctx context.Context, dir string) error {
	clock := newClock(d.start)
	s, err := store.Open(ctx, store.Options{Dir: dir, Now: clock.now})
	if err != nil {
		return err
	}
	for i := 0; i < daySamples && err == nil; i += dayBatch {
		var points []store.Point
		for host, column := range d.values {
			ref := s.Ref(d.series[host])
			for j := i; j < min(i+dayBatch, daySamples); j++ {
				points = append(points, store.Point{Ref: ref, Time: d.at(j), Value: column[j]})
			}
		}
		_, err = s.Append(ctx, points)
		clock.set(time.UnixMilli(d.at(i + dayBatch)))
	}
	if err == nil {
		err = s.RollUp(ctx)
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	o := tsdb.DefaultOptions()
	o.OutOfOrderTimeWindow, o.SamplesPerChunk = dayLength.Milliseconds(), store.SamplesPerChunk
	db, err := tsdb.Open(filepath.Join(dir, "raw"), slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		return err
	}
	err = db.Compact(ctx)
	if closed := db.Close(); err == nil {
		err = closed
	}
	return err
}

// send sends the day by remote write, in order.
func (d *day) send(ctx context.Context, url string) error {
	for i := 0; i < daySamples; i += dayBatch {
		var batch []prompb.TimeSeries
		for host, column := range d.values {
			one := prompb.TimeSeries{Labels: peer.Labels(d.series[host])}
			for j := i; j < min(i+dayBatch, daySamples); j++ {
				one.Samples = append(one.Samples, prompb.Sample{Timestamp: d.at(j), Value: column[j]})
			}
			batch = append(batch, one)
		}
		body, err := peer.Encode(batch)
		if err != nil {
			return err
		}
		if err := peer.Write(ctx, http.DefaultClient, url, body); err != nil {
			return err
		}
	}
	return nil
}

// summary is what a host's whole day comes to, by which answers in points of any
// step are checked.
type summary struct{ least, greatest, mean, count float64 }

func (d *day) summary(host int) summary {
	sum := 0.0
	for _, v := range d.values[host] {
		sum += v
	}
	return summary{slices.Min(d.values[host]), slices.Max(d.values[host]), sum / float64(daySamples), float64(daySamples)}
}

// differs says how an answer is not the day's, or is empty.
func (want summary) differs(got summary) string {
	if got.least == want.least && got.greatest == want.greatest && got.count == want.count && math.Abs(got.mean-want.mean) < 1e-6 {
		return ""
	}
	return fmt.Sprintf("least, greatest, mean and count are %v, want %v", got, want)
}
