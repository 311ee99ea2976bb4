package ingest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"
	"github.com/vitals-rpc/vitals/server/store"
)

// seriesIdle is how long a series must have been silent, in milliseconds, before it
// makes room for another, where its host has as many as it may.
const seriesIdle = 3600 * 1000

// idleLook is how long, in milliseconds, a host that has its limit of series waits
// before it looks for idle ones again.
const idleLook = 60 * 1000

// rateBurst is how many seconds' worth of samples may come at once.
const rateBurst = 10

// sender is what the door knows of one host.
type sender struct {
	limiter *rate.Limiter
	asked   atomic.Int64 // when it sent last, or told that it still does, in milliseconds since the epoch
	taken   atomic.Bool  // whether any sample of it was

	mu      sync.Mutex
	entries map[string]*entry // by series key
	spelled map[any]*entry    // by what [Session.Define] was told that they are spelled as
	looked  int64             // when it last looked for idle ones, in milliseconds since the epoch
}

// entry is a series that passed the checks.
type entry struct {
	ref  *store.Ref
	cell *live.Cell
	as   any   // how it is spelled, if that is known; guarded by the sender's lock
	used int64 // when a sender last had it, in milliseconds since the epoch; guarded by the sender's lock
}

// sender returns what is known of a host, whose name has passed the checks.
//
// Errors: *[HostLimitError].
func (d *Door) sender(hostname string) (*sender, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.opts.Now().UnixMilli()
	s := d.hosts[hostname]
	if s == nil {
		if len(d.hosts) >= d.opts.MaxHosts && now-d.looked >= idleLook {
			d.looked = now
			d.forget(now)
		}
		if len(d.hosts) >= d.opts.MaxHosts {
			return nil, &HostLimitError{d.opts.MaxHosts}
		}
		s = &sender{
			limiter: rate.NewLimiter(rate.Limit(d.opts.MaxRate), rateBurst*d.opts.MaxRate),
			entries: map[string]*entry{},
			spelled: map[any]*entry{},
		}
		d.hosts[hostname] = s
	}
	s.asked.Store(now)
	return s, nil
}

// forget drops the hosts that have been silent for so long that no series of theirs
// would be kept, and those of which no sample was ever taken. The door's lock must be
// held.
func (d *Door) forget(now int64) {
	for name, s := range d.hosts {
		silent := now - s.asked.Load()
		if silent < idleLook || silent < seriesIdle && s.taken.Load() {
			continue
		}
		s.mu.Lock()
		cells := s.forget(now - silent + 1)
		left := len(s.entries)
		s.mu.Unlock()
		d.opts.Live.Forget(cells)
		if left == 0 {
			delete(d.hosts, name)
		}
	}
}

// entry returns the entry of a series, checking it when it is new.
func (s *sender) entry(d *Door, series *metric.Series) (*entry, error) {
	now := d.opts.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[series.Key()]; e != nil {
		e.used = now
		return e, nil
	}
	if err := series.Check(); err != nil {
		return nil, err
	}
	if len(s.entries) >= d.opts.MaxSeriesPerHost && now-s.looked >= idleLook {
		s.looked = now
		d.opts.Live.Forget(s.forget(now - seriesIdle))
	}
	if len(s.entries) >= d.opts.MaxSeriesPerHost {
		return nil, fmt.Errorf("host %q has its limit of %d series; does a label hold something unbounded, such as an id?", series.Host, d.opts.MaxSeriesPerHost)
	}
	ref := d.opts.History.Ref(series)
	series = ref.Series() // the history's own, so that there is one of each
	e := &entry{ref: ref, cell: d.opts.Live.Cell(series), used: now}
	s.entries[series.Key()] = e
	return e, nil
}

// spelling returns the entry of a series that was spelled so before, or nil.
func (s *sender) spelling(d *Door, as any) *entry {
	now := d.opts.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.spelled[as]
	if e != nil {
		e.used = now
	}
	return e
}

// spell remembers how an entry is spelled, in place of how it was before: who goes
// back to an earlier spelling, with another unit perhaps, is heard again.
func (s *sender) spell(e *entry, as any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.spelled, e.as)
	e.as = as
	s.spelled[as] = e
}

// touch notes that a session has the series still.
func (s *sender) touch(series *numbered, now int64) {
	s.asked.Store(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	for def := range series.all {
		if def.entry != nil {
			def.entry.used = now
		}
	}
}

// forget drops the entries that were last used before a time, and returns where
// they were live.
func (s *sender) forget(before int64) (cells []*live.Cell) {
	for key, e := range s.entries {
		if e.used < before {
			delete(s.spelled, e.as)
			delete(s.entries, key)
			cells = append(cells, e.cell)
		}
	}
	return cells
}

// wait waits until the host may send n samples more. It takes a tenth of a second's
// worth at a time: streams of one host take turns then, and the live one does not
// stand behind all of a backlog's message.
func (s *sender) wait(ctx context.Context, n int) error {
	for n > 0 {
		part := min(n, max(1, int(s.limiter.Limit())/10))
		if err := s.limiter.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
