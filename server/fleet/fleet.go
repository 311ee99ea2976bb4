// Package fleet remembers who reports: each host with what its agent says of it,
// whether it is up, and the metric types that were pushed beside the built-in
// ones. What it knows survives a restart in one small file.
package fleet

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// A host is stale when nothing has come from it for StaleAfter or StaleIntervals
// of its own intervals, whichever is longer, and down likewise.
const (
	StaleAfter     = 10 * time.Second
	StaleIntervals = 3
	DownAfter      = time.Minute
	DownIntervals  = 10
)

// conflictWindow is how long two agents under one host name are remembered after
// the second was last heard of.
const conflictWindow = time.Minute

// saveInterval is how often what changed is written to disk.
const saveInterval = 5 * time.Second

// Reporter is what an agent says of its host and itself.
type Reporter struct {
	Hostname     string            `json:"hostname"`
	ID           string            `json:"id,omitempty"`
	OS           string            `json:"os,omitempty"`
	Platform     string            `json:"platform,omitempty"`
	Architecture string            `json:"architecture,omitempty"`
	AgentVersion string            `json:"agent_version,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Interval     time.Duration     `json:"interval,omitempty"`
}

func (r Reporter) equal(o Reporter) bool {
	return r.Hostname == o.Hostname && r.ID == o.ID && r.OS == o.OS && r.Platform == o.Platform &&
		r.Architecture == o.Architecture && r.AgentVersion == o.AgentVersion && r.Interval == o.Interval &&
		maps.Equal(r.Tags, o.Tags)
}

// Status tells whether a host reports.
type Status uint8

// The states of a host.
const (
	Up Status = iota
	Stale
	Down
)

// Host is a host that has reported. It is a copy: changing it changes nothing.
type Host struct {
	Reporter
	// FirstSeen is when its first sample came in.
	FirstSeen time.Time `json:"first_seen"`
	// LastSeen is the time of its newest sample, by its own clock.
	LastSeen time.Time `json:"last_seen"`
	// Status says whether it reports, by the server's clock.
	Status Status `json:"-"`
	// Conflict says that more than one agent reports under its name.
	Conflict bool `json:"-"`
}

// Registry is what is known. All its methods are safe for concurrent use. Close
// it to save the last of it.
type Registry struct {
	path   string
	now    func() time.Time
	logger *slog.Logger

	mu    sync.Mutex
	hosts map[string]*host
	types map[string]metric.Type // those that are not built in, at most maxTypes
	dirty bool
	// toldOfTypes is whether the log has been told that maxTypes is reached.
	toldOfTypes bool

	stop func()
}

// host is a Host with what is known of it only while the server runs.
type host struct {
	Host
	heard  time.Time            // when the newest sample came in, by the server's clock
	agents map[string]time.Time // by id, when each was last heard of
}

// Options configures [Open]. The zero value of a field means its default.
type Options struct {
	// Dir is the data folder, in which fleet.json is kept. Default: nothing is
	// kept.
	Dir string
	// Logger hears of conflicts and of what could not be saved. Default:
	// slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Open reads what was known. A file that cannot be understood is an error, for
// the operator to move away.
func Open(opts Options) (*Registry, error) {
	r := &Registry{now: opts.Now, logger: opts.Logger, hosts: map[string]*host{}, types: map[string]metric.Type{}}
	if r.now == nil {
		r.now = time.Now
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	if opts.Dir == "" {
		r.stop = func() {}
		return r, nil
	}
	r.path = filepath.Join(opts.Dir, "fleet.json")
	if err := r.load(); err != nil {
		return nil, err
	}
	r.saveOften()
	return r, nil
}

// Introduce notes who reports. It returns a warning for the reporter's operator
// where another agent reports under the same host name, and "" otherwise.
func (r *Registry) Introduce(who Reporter) (warning string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.host(who.Hostname)
	now := r.now()
	if !h.Reporter.equal(who) {
		h.Reporter = who
		r.dirty = true
	}
	if who.ID == "" {
		return ""
	}
	before := h.conflict(now)
	h.agents[who.ID] = now
	if !h.conflict(now) {
		return ""
	}
	warning = fmt.Sprintf("two agents report as host %q; give one of them another name with --hostname", who.Hostname)
	if !before {
		r.logger.Warn("two agents report under one host name; give one of them another with --hostname",
			"hostname", who.Hostname, "ids", slices.Sorted(maps.Keys(h.agents)))
	}
	return warning
}

// conflict forgets agents not heard of for long and reports whether more than
// one is left.
func (h *host) conflict(now time.Time) bool {
	maps.DeleteFunc(h.agents, func(_ string, heard time.Time) bool { return now.Sub(heard) > conflictWindow })
	return len(h.agents) > 1
}

// maxAhead is how far the newest sample of a host may lie ahead of the server's clock.
const maxAhead = time.Minute

// Saw notes that a sample of the host came in, observed at that time in
// milliseconds since the epoch.
func (r *Registry) Saw(hostname string, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.host(hostname)
	now, seen := r.now(), time.UnixMilli(at)
	newer := seen.After(h.LastSeen) || h.LastSeen.After(now.Add(maxAhead)) // by a clock that was wrong
	if newer {
		h.LastSeen = seen
		r.dirty = true
	}
	if newer || now.Sub(seen) <= StaleAfter { // the latter where its clock was set back
		h.heard = now
	}
}

// host returns the entry of the named host, making it; the lock must be held.
func (r *Registry) host(hostname string) *host {
	h := r.hosts[hostname]
	if h == nil {
		h = &host{Host: Host{Reporter: Reporter{Hostname: hostname}, FirstSeen: r.now()}, agents: map[string]time.Time{}}
		r.hosts[hostname] = h
		r.dirty = true
	}
	return h
}

// Knows reports whether the host has ever reported.
func (r *Registry) Knows(hostname string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[hostname] != nil
}

// LastSeen is when the host's newest sample was taken; false for a host that has
// never reported.
func (r *Registry) LastSeen(hostname string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[hostname]
	if h == nil {
		return time.Time{}, false
	}
	return h.LastSeen, true
}

// Hosts returns the hosts whose names begin with prefix, in order of name.
func (r *Registry) Hosts(prefix string) []Host {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	var out []Host
	for name, h := range r.hosts {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		c := h.Host
		c.Tags = maps.Clone(h.Tags)
		c.Status = h.status(now)
		c.Conflict = h.conflict(now)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Host) int { return strings.Compare(a.Hostname, b.Hostname) })
	return out
}

func (h *host) status(now time.Time) Status {
	heard := h.heard
	if heard.IsZero() { // not since the server started
		heard = h.LastSeen
	}
	silent := now.Sub(heard)
	switch {
	case silent > max(DownAfter, DownIntervals*h.Interval):
		return Down
	case silent > max(StaleAfter, StaleIntervals*h.Interval):
		return Stale
	}
	return Up
}

// maxTypes is of how many metric types that are not built in the registry keeps what
// was said.
const maxTypes = 20_000

// Describe notes what a sender says of a metric type that is not built in. An
// empty unit or help leaves what was known. What the catalog says of a built-in
// type cannot be changed.
func (r *Registry) Describe(t metric.Type) {
	if _, builtIn := metric.Lookup(t.Name); builtIn {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.types[t.Name]
	if ok && says(known, t) {
		return
	}
	if !ok && len(r.types) >= maxTypes {
		if !r.toldOfTypes {
			r.toldOfTypes = true
			r.logger.Warn("too many custom metrics: what is said of further ones is not kept, such as their units", "limit", maxTypes, "metric", t.Name)
		}
		return
	}
	if t.Unit == "" {
		t.Unit = known.Unit
	}
	if t.Unit == "" {
		t.Unit = metric.Count
	}
	if t.Help == "" {
		t.Help = known.Help
	}
	t.Labels = union(known.Labels, t.Labels)
	r.types[t.Name] = t
	r.dirty = true
}

// says reports whether what is known says all that t does.
func says(known, t metric.Type) bool {
	return (t.Unit == "" || t.Unit == known.Unit) && (t.Help == "" || t.Help == known.Help) && t.Kind == known.Kind &&
		!slices.ContainsFunc(t.Labels, func(name string) bool { return !slices.Contains(known.Labels, name) })
}

// union returns the sorted names of both.
func union(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.Compact(names)
}

// Type returns what is known of a metric type, built in or not.
func (r *Registry) Type(name string) (t metric.Type, builtIn, known bool) {
	if t, ok := metric.Lookup(name); ok {
		return t, true, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, known = r.types[name]
	return t, false, known
}

// Unit returns a metric type's unit; count, where nobody has said.
func (r *Registry) Unit(name string) metric.Unit {
	if t, _, known := r.Type(name); known {
		return t.Unit
	}
	return metric.Count
}
