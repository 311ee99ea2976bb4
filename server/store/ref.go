package store

import (
	"hash/maphash"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/vitals-rpc/vitals/metric"
)

// Ref is the store's handle of one series. Callers keep it beside the series:
// appending by a Ref costs a fraction of appending by labels. It stays good for
// as long as the store is open and may be shared by goroutines.
type Ref struct {
	series *metric.Series
	labels labels.Labels
	stripe uint8

	// What follows is guarded by the stripe's lock; what stands above never
	// changes and is read without it.

	// dropped says that the map holds this Ref no more.
	dropped bool
	knowledge
}

// knowledge is what a Ref remembers of what is stored, so that most points need
// no look.
type knowledge struct {
	// tsdb is the TSDB's own handle, a hint that may go stale.
	tsdb storage.SeriesRef
	// epoch says which opening of raw the knowledge below is about; knowledge
	// from an earlier one is void.
	epoch uint32
	// lastKnown says that lastTime and lastValue are the series' newest sample.
	lastKnown bool
	lastTime  int64
	lastValue float64
	// No sample lies strictly between gapLow and gapHigh. A gap opens when a
	// host has been away; an agent that fills it in order afterwards needs no
	// look into what is stored.
	gapLow, gapHigh int64
	// gapValue is the value at gapLow, if gapFilled.
	gapValue  float64
	gapFilled bool
	// touched is the round of a transaction that last put a sample in.
	touched uint64
}

// Series returns the series that the Ref stands for.
func (r *Ref) Series() *metric.Series { return r.series }

const (
	refShards = 64
	stripes   = 64
)

// refMap holds the one Ref of each series.
type refMap struct {
	seed   maphash.Seed
	shards [refShards]struct {
		sync.RWMutex
		refs map[string]*Ref
		_    [32]byte // its own cache line
	}
}

func newRefMap() *refMap {
	m := &refMap{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].refs = map[string]*Ref{}
	}
	return m
}

func (m *refMap) get(series *metric.Series) *Ref {
	key := series.Key()
	shard := &m.shards[maphash.String(m.seed, key)%refShards]
	shard.RLock()
	r := shard.refs[key]
	shard.RUnlock()
	if r != nil {
		return r
	}
	shard.Lock()
	defer shard.Unlock()
	if r = shard.refs[key]; r != nil {
		return r
	}
	r = &Ref{
		series: series,
		labels: toLabels(series),
		stripe: uint8(maphash.String(m.seed, series.Host) % stripes),
	}
	shard.refs[key] = r
	return r
}

// sweep forgets the Refs whose newest sample is older than before. Who still
// holds one may use it: Append takes the new one in its place.
func (m *refMap) sweep(before int64, lock *stripeLocks) (dropped int) {
	for i := range m.shards {
		shard := &m.shards[i]
		var old []*Ref
		shard.RLock()
		for _, r := range shard.refs {
			old = append(old, r)
		}
		shard.RUnlock()
		for _, r := range old {
			lock[r.stripe].Lock()
			if r.lastKnown && r.lastTime < before {
				r.dropped = true
				shard.Lock()
				delete(shard.refs, r.series.Key())
				shard.Unlock()
				dropped++
			}
			lock[r.stripe].Unlock()
		}
	}
	return dropped
}

func (m *refMap) len() (n int) {
	for i := range m.shards {
		m.shards[i].RLock()
		n += len(m.shards[i].refs)
		m.shards[i].RUnlock()
	}
	return n
}

// stripeLocks serialise the appends of a host, so that what a Ref knows is what
// the TSDB holds. Hosts share 64 of them.
type stripeLocks [stripes]sync.Mutex

// lock takes the stripes of set, the lowest first so that two batches never
// wait for each other.
func (l *stripeLocks) lock(set uint64) {
	for i := range l {
		if set&(1<<i) != 0 {
			l[i].Lock()
		}
	}
}

func (l *stripeLocks) unlock(set uint64) {
	for i := range l {
		if set&(1<<i) != 0 {
			l[i].Unlock()
		}
	}
}

// toLabels says a series in the TSDB's terms.
func toLabels(s *metric.Series) labels.Labels {
	b := labels.NewScratchBuilder(len(s.Labels) + 2)
	b.Add(metric.TypeLabel, s.Type)
	b.Add(metric.HostLabel, s.Host)
	for _, l := range s.Labels {
		b.Add(l.Name, l.Value)
	}
	b.Sort()
	return b.Labels()
}

// fromLabels is the way back.
func fromLabels(ls labels.Labels) *metric.Series {
	var typ, host string
	var rest metric.Labels
	ls.Range(func(l labels.Label) {
		switch l.Name {
		case metric.TypeLabel:
			typ = l.Value
		case metric.HostLabel:
			host = l.Value
		default:
			rest = append(rest, metric.Label{Name: l.Name, Value: l.Value})
		}
	})
	return metric.NewSeries(typ, host, rest)
}
