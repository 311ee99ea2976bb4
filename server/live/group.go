package live

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// group is all subscriptions with the same choice of series: a page that many look
// at, or the replicas of one program. What is made of a round for one of them is
// made for all.
type group struct {
	key       string
	selectors metric.Selectors

	// members has those who read; guarded by membersMu, and by the hub's lock too
	// for who changes it.
	membersMu sync.RWMutex
	members   []*Subscription
	// attached is closed when all hosts know the group.
	attached chan struct{}

	mu      sync.Mutex
	numbers map[*metric.Series]uint32
	series  []*metric.Series // by number; nil where it was forgotten
}

// keyOf is the same for the same selectors.
func keyOf(selectors []metric.Selector) string {
	var b strings.Builder
	list := func(kind byte, names []string) {
		for _, name := range names {
			fmt.Fprintf(&b, "%c%d:%s", kind, len(name), name)
		}
	}
	for _, sel := range selectors {
		b.WriteByte(';')
		list('h', sel.Hosts.Names)
		list('H', sel.Hosts.Prefixes)
		list('t', sel.Types.Names)
		list('T', sel.Types.Prefixes)
	}
	return b.String()
}

// join makes a subscription one of its group, which is made for the first.
func (h *Hub) join(sub *Subscription, selectors []metric.Selector) {
	key := keyOf(selectors)
	h.mu.Lock()
	g := h.groups[key]
	if g == nil {
		g = &group{key: key, selectors: selectors, attached: make(chan struct{}), numbers: map[*metric.Series]uint32{}}
		h.groups[key] = g
	}
	first := g.add(sub)
	h.mu.Unlock()
	if !first {
		<-g.attached // from when on nothing is missed
		return
	}
	defer close(g.attached)
	// A host that is made between these two steps has the group already, hence the
	// check in attach.
	for _, hs := range h.matching(g.selectors) {
		hs.attach(g)
	}
}

// leave is join's counterpart.
func (h *Hub) leave(sub *Subscription) {
	g := sub.group
	h.mu.Lock()
	last := g.remove(sub)
	if last {
		delete(h.groups, g.key)
	}
	h.mu.Unlock()
	if !last {
		return
	}
	for _, hs := range h.matching(g.selectors) {
		hs.detach(g)
	}
}

// add reports whether the member is the first.
func (g *group) add(sub *Subscription) bool {
	g.membersMu.Lock()
	defer g.membersMu.Unlock()
	sub.group, sub.place = g, len(g.members)
	g.members = append(g.members, sub)
	return len(g.members) == 1
}

// remove reports whether the member was the last.
func (g *group) remove(sub *Subscription) bool {
	g.membersMu.Lock()
	defer g.membersMu.Unlock()
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[sub.place], moved.place = moved, sub.place
	g.members[last] = nil
	g.members = g.members[:last]
	return last == 0
}

func (hs *host) attach(g *group) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if !slices.Contains(hs.groups, g) {
		hs.groups = append(slices.Clip(hs.groups), g)
	}
}

func (hs *host) detach(g *group) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if i := slices.Index(hs.groups, g); i >= 0 {
		hs.groups = slices.Concat(hs.groups[:i], hs.groups[i+1:])
	}
}

// push hands a round to every member. None of them keeps it waiting.
func (g *group) push(samples []metric.Sample) {
	r := &Round{group: g, all: samples}
	now := time.Now()
	g.membersMu.RLock()
	defer g.membersMu.RUnlock()
	for _, sub := range g.members {
		sub.push(r, now)
	}
}

func (g *group) number(samples []metric.Sample) (numbers []uint32, most uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	numbers = make([]uint32, len(samples))
	for i, s := range samples {
		n, ok := g.numbers[s.Series]
		if !ok {
			n = uint32(len(g.series)) //nolint:gosec // there are not that many series
			g.numbers[s.Series] = n
			g.series = append(g.series, s.Series)
		}
		numbers[i] = n
		most = max(most, n+1)
	}
	return numbers, most
}

// forget takes the numbers of series, which no round has any more; they are not
// given again.
func (g *group) forget(cells map[*Cell]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range cells {
		if n, ok := g.numbers[c.sample.Series]; ok {
			delete(g.numbers, c.sample.Series)
			g.series[n] = nil
		}
	}
}

func (g *group) between(first, end uint32) []*metric.Series {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.series[first:end])
}

// Round is what was published of a host at once, of the series that a subscription
// chooses. All subscriptions with the same choice share it; it never changes.
type Round struct {
	group *group
	all   []metric.Sample

	filter  sync.Once
	samples []metric.Sample
	numbers []uint32
	most    uint32

	make sync.Once
	made any
}

// Samples are the round's, oldest first. The first who asks filters them; the
// publisher does not wait for that.
func (r *Round) Samples() []metric.Sample {
	r.filter.Do(func() {
		r.samples = r.all
		if !r.chosenWhole() {
			r.samples = make([]metric.Sample, 0, len(r.all))
			for _, s := range r.all {
				if r.group.selectors.Matches(s.Series) {
					r.samples = append(r.samples, s)
				}
			}
		}
		r.numbers, r.most = r.group.number(r.samples)
	})
	return r.samples
}

func (r *Round) chosenWhole() bool {
	return !slices.ContainsFunc(r.all, func(s metric.Sample) bool { return !r.group.selectors.Matches(s.Series) })
}

// Numbers are those of the samples' series, as of [Subscription.Number].
func (r *Round) Numbers() (numbers []uint32, most uint32) {
	r.Samples()
	return r.numbers, r.most
}

// Made returns what the first caller's function returned, which the others share:
// a round is turned into a message once.
func (r *Round) Made(f func() any) any {
	r.make.Do(func() { r.made = f() })
	return r.made
}
