// Package live holds the newest sample of each series and hands what comes in to
// subscribers. It keeps no history and knows no transport.
//
// A publisher never waits for a subscriber: each subscription has a bounded
// queue, and a reader that falls behind loses the oldest rounds and is told how
// many samples that cost. No lock is held while anything is sent.
package live

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// Hub is the live state of all hosts. The zero value is not ready; make one with
// [NewHub]. All its methods are safe for concurrent use.
type Hub struct {
	mu     sync.RWMutex
	hosts  map[string]*host
	groups map[string]*group // of subscriptions, by what they choose

	dropped, overflows atomic.Int64
}

// Dropped returns how many samples subscriptions have lost because their readers
// were behind.
func (h *Hub) Dropped() int64 { return h.dropped.Load() }

// Overflows returns how often that began: a reader that is behind for long counts
// again each time that it has read.
func (h *Hub) Overflows() int64 { return h.overflows.Load() }

// NewHub returns an empty hub.
func NewHub() *Hub {
	return &Hub{hosts: map[string]*host{}, groups: map[string]*group{}}
}

// host is what is known of one host: a lock of its own keeps hosts out of each
// other's way.
type host struct {
	name string
	seen atomic.Int64 // newest sample's time, in milliseconds since the epoch

	mu     sync.RWMutex
	cells  map[string]*Cell   // by series key, also those that no sample has come for
	byType map[string][]*Cell // the series of each metric type that have a sample, oldest first
	groups []*group           // those whose selector takes in this host; replaced, never changed
	gone   bool               // the hub has no longer this one
}

// known reports whether the host has a sample.
func (hs *host) known() bool { return hs != nil && hs.seen.Load() != 0 }

// Cell is where the newest sample of one series is: see [Hub.Cell].
type Cell struct {
	host   *host
	sample metric.Sample // guarded by the host's lock; of time 0 until one comes
}

// Cell returns the place of a series, of which there is one. Who publishes keeps
// it, which spares looking for it with each sample. A series without a sample is
// not shown to anybody.
func (h *Hub) Cell(series *metric.Series) *Cell {
	for {
		if c := h.host(series.Host).cell(series); c != nil {
			return c
		}
	}
}

// cell returns the place of a series, which it makes; nil where the host is gone.
func (hs *host) cell(series *metric.Series) *Cell {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.gone {
		return nil
	}
	c := hs.cells[series.Key()]
	if c == nil {
		c = &Cell{host: hs, sample: metric.Sample{Series: series}}
		hs.cells[series.Key()] = c
	}
	return c
}

// maxAhead is how far, in milliseconds, a sample may lie ahead of the clock. One that
// lies further ahead was taken, or the clock set back since, by a clock that was
// wrong: any other takes its place.
const maxAhead = 60_000

// Point is a sample on its way to be the newest of its series.
type Point struct {
	Cell *Cell
	// Time is in milliseconds since the Unix epoch.
	Time int64
	// Value is in the series' unit.
	Value float64
}

// Publish makes the points the newest of their series and passes them on to the
// subscribers, those of one host oldest first. It copies what it keeps, so the caller
// may use the slice again. A point older than what is there does not replace it and
// is not passed on: history is the store's business.
func (h *Hub) Publish(points []Point) {
	for len(points) > 0 {
		hs := points[0].Cell.host
		n := 1
		for n < len(points) && points[n].Cell.host == hs {
			n++
		}
		if !hs.publish(points[:n]) {
			h.publishAnew(points[:n])
		}
		points = points[n:]
	}
}

// publishAnew publishes by cells that are no longer the hub's.
func (h *Hub) publishAnew(points []Point) {
	again := make([]Point, len(points))
	for i, p := range points {
		again[i] = Point{h.Cell(p.Cell.sample.Series), p.Time, p.Value}
	}
	h.Publish(again)
}

// host returns the state of the named host, making it when it is first named.
func (h *Hub) host(name string) *host {
	h.mu.RLock()
	hs := h.hosts[name]
	h.mu.RUnlock()
	if hs != nil {
		return hs
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if hs = h.hosts[name]; hs != nil {
		return hs
	}
	hs = &host{name: name, cells: map[string]*Cell{}, byType: map[string][]*Cell{}}
	for _, g := range h.groups {
		if g.selectors.MatchesHost(name) {
			hs.groups = append(hs.groups, g)
		}
	}
	h.hosts[name] = hs
	return hs
}

// publish reports false, and does nothing, where the host is gone.
func (hs *host) publish(points []Point) bool {
	hs.mu.Lock()
	if hs.gone {
		hs.mu.Unlock()
		return false
	}
	groups := hs.groups
	var fresh []metric.Sample
	if len(groups) > 0 {
		fresh = make([]metric.Sample, 0, len(points))
	}
	latest := time.Now().UnixMilli() + maxAhead
	newest := hs.seen.Load()
	if newest > latest {
		newest = 0
	}
	for i, p := range points {
		if fresh == nil && i+1 < len(points) && points[i+1].Cell == p.Cell && points[i+1].Time > p.Time {
			continue // nobody would see it
		}
		c := p.Cell
		if c.sample.Time == 0 {
			c = hs.current(c)
		}
		s := &c.sample
		if p.Time <= s.Time && s.Time <= latest {
			continue
		}
		if s.Time == 0 {
			hs.byType[s.Series.Type] = append(hs.byType[s.Series.Type], c)
		}
		s.Time, s.Value = p.Time, p.Value
		newest = max(newest, p.Time)
		if fresh != nil {
			fresh = append(fresh, *s)
		}
	}
	hs.seen.Store(newest)
	hs.mu.Unlock()

	if len(fresh) == 0 {
		return true
	}
	if byTime := func(a, b metric.Sample) int { return cmp.Compare(a.Time, b.Time) }; !slices.IsSortedFunc(fresh, byTime) {
		slices.SortStableFunc(fresh, byTime)
	}
	for _, g := range groups {
		g.push(fresh)
	}
	return true
}

// current returns the cell that the host has for a cell's series, which is that cell
// itself, unless it was forgotten. The host's lock must be held.
func (hs *host) current(c *Cell) *Cell {
	key := c.sample.Series.Key()
	if now := hs.cells[key]; now != nil {
		return now
	}
	hs.cells[key] = c
	return c
}

// Forget drops what is known of some series, of which no more samples are expected:
// snapshots leave them out, and a host with no other is not known any more. One that a
// sample comes for nevertheless is there again.
func (h *Hub) Forget(cells []*Cell) {
	forgotten := make(map[*host]map[*Cell]bool)
	for _, c := range cells {
		if forgotten[c.host] == nil {
			forgotten[c.host] = map[*Cell]bool{}
		}
		forgotten[c.host][c] = true
	}
	for hs, gone := range forgotten {
		for _, g := range hs.forget(gone) {
			g.forget(gone)
		}
		h.dropEmpty(hs)
	}
}

// dropEmpty drops a host that has no series.
func (h *Hub) dropEmpty(hs *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if len(hs.cells) == 0 && !hs.gone {
		hs.gone = true
		delete(h.hosts, hs.name)
	}
}

// forget returns the groups that may have numbers for what is gone.
func (hs *host) forget(gone map[*Cell]bool) []*group {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for c := range gone {
		if key := c.sample.Series.Key(); hs.cells[key] == c {
			delete(hs.cells, key)
		}
		c.sample.Time, c.sample.Value = 0, 0
	}
	for name, cells := range hs.byType {
		cells = slices.DeleteFunc(cells, func(c *Cell) bool { return gone[c] })
		if len(cells) == 0 {
			delete(hs.byType, name)
		} else {
			hs.byType[name] = cells
		}
	}
	return hs.groups
}

// Latest returns the newest sample of a metric type on a host. Where the type
// has several series, the one without further labels is meant.
//
// Errors: *[metric.UnknownHostError], *[metric.UnknownTypeError],
// *[metric.AmbiguousTypeError].
func (h *Hub) Latest(hostname, metricType string) (metric.Sample, error) {
	h.mu.RLock()
	hs := h.hosts[hostname]
	h.mu.RUnlock()
	if !hs.known() {
		return metric.Sample{}, &metric.UnknownHostError{Host: hostname, Known: h.Hosts()}
	}
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	cells := hs.byType[metricType]
	if len(cells) == 1 {
		return cells[0].sample, nil
	}
	for _, c := range cells {
		if len(c.sample.Series.Labels) == 0 {
			return c.sample, nil
		}
	}
	if len(cells) > 0 {
		err := &metric.AmbiguousTypeError{Type: metricType, Host: hostname}
		for _, c := range cells {
			err.Series = append(err.Series, c.sample.Series)
		}
		return metric.Sample{}, err
	}
	return metric.Sample{}, &metric.UnknownTypeError{Type: metricType, Host: hostname, Known: hs.types()}
}

// types returns the host's metric types in order; its lock must be held.
func (hs *host) types() []string {
	types := make([]string, 0, len(hs.byType))
	for t := range hs.byType {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// Snapshot returns the newest sample of every series that a selector chooses,
// ordered by host and series. No selector chooses everything.
func (h *Hub) Snapshot(selectors ...metric.Selector) []metric.Sample {
	sels := metric.Selectors(selectors)
	var out []metric.Sample
	for _, hs := range h.matching(sels) {
		hs.mu.RLock()
		for _, c := range hs.cells {
			if c.sample.Time != 0 && sels.Matches(c.sample.Series) {
				out = append(out, c.sample)
			}
		}
		hs.mu.RUnlock()
	}
	slices.SortFunc(out, func(a, b metric.Sample) int {
		if c := strings.Compare(a.Series.Host, b.Series.Host); c != 0 {
			return c
		}
		return strings.Compare(a.Series.Key(), b.Series.Key())
	})
	return out
}

// matching returns the hosts of which series may be chosen, in no order.
func (h *Hub) matching(sels metric.Selectors) []*host {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []*host
	for name, hs := range h.hosts {
		if sels.MatchesHost(name) {
			out = append(out, hs)
		}
	}
	return out
}

// Hosts returns the names of the hosts that have reported, in order.
func (h *Hub) Hosts() []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(h.hosts))
	for name, hs := range h.hosts {
		if hs.known() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// LastSeen returns the time of the host's newest sample, in milliseconds since
// the Unix epoch, and whether the host is known.
func (h *Hub) LastSeen(hostname string) (int64, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	hs := h.hosts[hostname]
	if !hs.known() {
		return 0, false
	}
	return hs.seen.Load(), true
}
