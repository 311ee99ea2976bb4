package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// What top remembers, and when it calls a host late where the server does not
// say.
const (
	trackPoints       = 120
	trackAge          = 10 * time.Minute
	customAge         = 2 * day
	seriesLate        = 15 * time.Second
	defaultStaleAfter = 10 * time.Second
	defaultDownAfter  = time.Minute
)

// topHost is what is known of one host.
type topHost struct {
	name   string
	info   *monitoringv1.Host // nil until the server's list has it
	tracks map[string]*topTrack
	byType map[string][]*topTrack // ordered by their labels
	newest int64                  // time of the newest sample
	heard  time.Time              // when something new came last, by the server's clock
}

// add takes a reading and reports whether it is new.
func (h *topHost) add(r topReading) bool {
	t := h.tracks[r.series.Key()]
	if t == nil {
		t = &topTrack{series: r.series, unit: r.unit}
		h.tracks[r.series.Key()] = t
		h.byType[r.series.Type] = append(h.byType[r.series.Type], t)
		slices.SortFunc(h.byType[r.series.Type], func(a, b *topTrack) int { return naturalCompare(labelText(a.series), labelText(b.series)) })
	}
	if !t.add(r) {
		return false
	}
	h.newest = max(h.newest, r.time)
	return true
}

// forget drops the series that have long been silent, as those of processes that
// ended are. A custom metric may come once a day.
func (h *topHost) forget() {
	for key, t := range h.tracks {
		limit := customAge
		if _, builtIn := metric.Lookup(t.series.Type); builtIn {
			limit = trackAge
		}
		if h.newest-t.last().time > limit.Milliseconds() {
			delete(h.tracks, key)
			h.byType[t.series.Type] = slices.DeleteFunc(h.byType[t.series.Type], func(o *topTrack) bool { return o == t })
		}
	}
}

// series are the tracks of a type that are not behind the host's newest sample.
func (h *topHost) series(metricType string) []*topTrack {
	var out []*topTrack
	for _, t := range h.byType[metricType] {
		if h.newest-t.last().time <= seriesLate.Milliseconds() {
			out = append(out, t)
		}
	}
	return out
}

// round are the tracks of a type whose newest samples are of the same time: the
// last of a choice that changes, such as the busiest processes.
func (h *topHost) round(metricType string) []*topTrack {
	tracks := h.series(metricType)
	var newest int64
	for _, t := range tracks {
		newest = max(newest, t.last().time)
	}
	return slices.DeleteFunc(tracks, func(t *topTrack) bool { return t.last().time != newest })
}

// first is the one track of a type without labels, or nil.
func (h *topHost) first(metricType string) *topTrack {
	if tracks := h.series(metricType); len(tracks) > 0 {
		return tracks[0]
	}
	return nil
}

// value is the newest value of a type without labels, or NaN.
func (h *topHost) value(metricType string) float64 {
	if t := h.first(metricType); t != nil {
		return t.last().value
	}
	return math.NaN()
}

// find is the newest value of the series of a type that has the label, or NaN.
func (h *topHost) find(metricType, label string, values ...string) float64 {
	for _, t := range h.series(metricType) {
		if slices.Contains(values, t.series.Labels.Get(label)) {
			return t.last().value
		}
	}
	return math.NaN()
}

// sum adds the series of a type that keep says, or is NaN if there are none.
func (h *topHost) sum(metricType string, keep func(*metric.Series) bool) float64 {
	sum, found := 0.0, false
	for _, t := range h.series(metricType) {
		if keep(t.series) {
			sum += t.last().value
			found = true
		}
	}
	if !found {
		return math.NaN()
	}
	return sum
}

// passesOn names interfaces whose traffic shows on another one too, or never
// leaves the host.
func passesOn(s *metric.Series) bool {
	name := s.Labels.Get("interface")
	return name == "lo" || name == "lo0" || strings.HasPrefix(name, "Loopback") ||
		strings.HasPrefix(name, "docker") || strings.HasPrefix(name, "br-") || strings.HasPrefix(name, "virbr") || strings.HasPrefix(name, "cni")
}

func leavesHost(s *metric.Series) bool { return !passesOn(s) }

// topFleet is all that top knows.
type topFleet struct {
	hosts map[string]*topHost
	// ahead is how much the server's clock is ahead of ours.
	ahead time.Duration
	// The server's thresholds, by its list of hosts.
	staleAfter, downAfter time.Duration
	dropped               uint64
}

func newTopFleet() *topFleet {
	return &topFleet{hosts: map[string]*topHost{}, staleAfter: defaultStaleAfter, downAfter: defaultDownAfter}
}

func (f *topFleet) host(name string) *topHost {
	h := f.hosts[name]
	if h == nil {
		h = &topHost{name: name, tracks: map[string]*topTrack{}, byType: map[string][]*topTrack{}}
		f.hosts[name] = h
	}
	return h
}

// update takes what the stream brought. In a snapshot samples may be old, so that
// only their own time tells when they were taken.
func (f *topFleet) update(u topUpdate) {
	if !u.serverTime.IsZero() {
		f.ahead = u.serverTime.Sub(u.received)
	}
	f.dropped += u.dropped
	for _, r := range u.readings {
		h := f.host(r.series.Host)
		if !h.add(r) {
			continue
		}
		heard := u.serverTime
		if u.snapshot {
			heard = time.UnixMilli(r.time)
		}
		if heard.After(h.heard) {
			h.heard = heard
		}
	}
}

// fill takes what was before the stream. It says nothing of what is now, so only
// series that the stream has named have a past.
func (f *topFleet) fill(past topPast) {
	points := map[string][]topPoint{}
	for _, r := range past.readings {
		points[r.series.Key()] = append(points[r.series.Key()], topPoint{r.time, r.value})
	}
	for _, h := range f.hosts {
		for key, t := range h.tracks {
			if p := points[key]; len(p) > 0 {
				t.fill(p, past.step.Milliseconds())
			}
		}
	}
}

// list takes the server's list of hosts. It drops those that the server has
// forgotten.
func (f *topFleet) list(l topHosts) {
	if l.err != nil {
		return
	}
	f.staleAfter = cmp.Or(l.list.GetStaleAfter().AsDuration(), defaultStaleAfter)
	f.downAfter = cmp.Or(l.list.GetDownAfter().AsDuration(), defaultDownAfter)
	for _, h := range f.hosts {
		h.info = nil
		h.forget()
	}
	for _, info := range l.list.GetHosts() {
		h := f.host(info.GetHostname())
		h.info = info
		if seen := info.GetLastSeen(); seen.GetSeconds() > 0 && seen.AsTime().After(h.heard) {
			h.heard = seen.AsTime()
		}
	}
	for name, h := range f.hosts {
		if h.info == nil && len(h.tracks) == 0 {
			delete(f.hosts, name)
		}
	}
}

// age is how long nothing has come from the host.
func (f *topFleet) age(h *topHost, now time.Time) time.Duration {
	if h.heard.IsZero() {
		return 0
	}
	return max(0, now.Add(f.ahead).Sub(h.heard))
}

// status is the host's, by the server's word or by the age of what came last,
// whichever is better news: the list is a few seconds old.
func (f *topFleet) status(h *topHost, now time.Time) monitoringv1.HostStatus {
	interval := h.info.GetInterval().AsDuration()
	old := f.age(h, now)
	byAge := monitoringv1.HostStatus_HOST_STATUS_DOWN
	switch {
	case h.heard.IsZero():
		return h.info.GetStatus()
	case old <= max(f.staleAfter, 3*interval):
		return monitoringv1.HostStatus_HOST_STATUS_UP
	case old <= max(f.downAfter, 10*interval):
		byAge = monitoringv1.HostStatus_HOST_STATUS_STALE
	}
	if listed := h.info.GetStatus(); listed != monitoringv1.HostStatus_HOST_STATUS_UNSPECIFIED && listed < byAge {
		return listed
	}
	return byAge
}
