// Package simulate makes up a fleet: hosts with lifelike series, named as the
// built-in catalog has them, that report over the real IngestService. Values
// depend on the seed, the host's number and the times asked for, and on nothing
// else, so that two runs with one seed send the same.
package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// Host is one simulated host. One goroutine uses it.
type Host struct {
	// Name is the host's name.
	Name string
	// Series are its series; a sample's id is the place in here.
	Series []*metric.Series

	kinds      []kind
	machine    *machine
	generators []generator
	slow       []bool
}

// NewHost makes host number i of a fleet, with n series.
func NewHost(seed uint64, i, n int) *Host {
	h := &Host{
		Name:    fmt.Sprintf("sim-%04d", i),
		kinds:   kinds(n),
		machine: newMachine(rand.New(rand.NewPCG(seed, uint64(i)))), //nolint:gosec // made-up values, no secrets
	}
	for place, k := range h.kinds {
		h.Series = append(h.Series, metric.NewSeries(k.name, h.Name, k.labels))
		h.generators = append(h.generators, newGenerator(k, h.machine, place))
		h.slow = append(h.slow, slowTypes[k.name])
	}
	return h
}

// Fleet makes n hosts of m series each.
func Fleet(seed uint64, n, m int) (hosts []*Host) {
	for i := range n {
		hosts = append(hosts, NewHost(seed, i, m))
	}
	return hosts
}

// Next measures the host at a time in milliseconds, which must be later than the
// one before, and appends to the columns: the series' ids and their values. As a
// collector does, it leaves the slow series out of most rounds.
func (h *Host) Next(at int64, ids []uint32, values []float64) ([]uint32, []float64) {
	h.machine.advance(at)
	for id, next := range h.generators {
		if h.slow[id] && !h.machine.slow {
			continue
		}
		ids = append(ids, uint32(id)) //nolint:gosec // few series
		values = append(values, next(h.machine))
	}
	return ids, values
}

// Round is Next as a message.
func (h *Host) Round(at int64) *monitoringv1.Samples {
	ids, values := h.Next(at, make([]uint32, 0, len(h.Series)), make([]float64, 0, len(h.Series)))
	return &monitoringv1.Samples{Time: timestamppb.New(time.UnixMilli(at)), SeriesIds: ids, Values: values}
}

// Introduction is the first message of a stream of reports: who the host is, and
// its series.
func (h *Host) Introduction(interval time.Duration) *monitoringv1.ReportRequest {
	req := &monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{
		Hostname: h.Name, HostId: "simulated-" + h.Name, Os: "linux", Platform: "debian 12", Architecture: "amd64",
		AgentVersion: "simulated", Tags: map[string]string{"env": "simulated"}, Interval: durationpb.New(interval),
	}}
	for id, k := range h.kinds {
		series := &monitoringv1.Series{MetricType: k.name, Unit: k.unit}
		if len(k.labels) > 0 {
			series.Labels = make(map[string]string, len(k.labels))
		}
		for _, l := range k.labels {
			series.Labels[l.Name] = l.Value
		}
		req.Series = append(req.Series, &monitoringv1.SeriesDefinition{Id: uint32(id), Series: series}) //nolint:gosec // few series
	}
	return req
}
