package main

import (
	"sync"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// topBatch gathers updates of one stream until they are drawn.
type topBatch struct {
	mu       sync.Mutex
	names    map[uint32]topReading // the stream's series, by number
	expected []uint64              // choices whose snapshots are still to come
	update   topUpdate
}

func (b *topBatch) expect(choice uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, choice)
}

// add takes an update and reports whether it completes a snapshot.
func (b *topBatch) add(u *monitoringv1.Update) (complete bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range u.GetSeries() {
		b.names[d.GetId()] = seriesReading(d.GetSeries())
	}
	for _, group := range u.GetSamples() {
		at := group.GetTime().AsTime().UnixMilli()
		for i, id := range group.GetSeriesIds() {
			if r, ok := b.names[id]; ok && i < len(group.GetValues()) {
				r.time, r.value = at, group.GetValues()[i]
				b.update.readings = append(b.update.readings, r)
			}
		}
	}
	b.update.serverTime, b.update.received = u.GetServerTime().AsTime(), time.Now()
	b.update.dropped += u.GetDropped()
	b.update.snapshot = b.update.snapshot || len(b.expected) > 0
	if u.GetSnapshotComplete() && len(b.expected) > 0 {
		b.update.complete = b.expected[0]
		b.expected = b.expected[1:]
	}
	return u.GetSnapshotComplete()
}

// seriesReading is a reading of the series, without time and value.
func seriesReading(s *monitoringv1.Series) topReading {
	var labels metric.Labels
	for name, value := range s.GetLabels() {
		labels = append(labels, metric.Label{Name: name, Value: value})
	}
	return topReading{series: metric.NewSeries(s.GetMetricType(), s.GetHostname(), labels), unit: metric.Unit(s.GetUnit())}
}

// take empties the batch.
func (b *topBatch) take() topUpdate {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.update
	b.update = topUpdate{}
	return u
}
