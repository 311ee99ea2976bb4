package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// Store is history on disk. Open one with [Open]; its methods may be called by
// many goroutines.
type Store struct {
	options Options
	window  int64 // OutOfOrderWindow in milliseconds: see fitWindow
	lock    fileutil.Releaser
	raw     *raw
	space   *space
	marks   *markLog
	tiers   *tiers
	refs    *refMap
	stripes stripeLocks

	epoch        atomic.Uint32
	transactions atomic.Uint64
	counters     counters
	closed       atomic.Bool

	// rolling is held shared by every append, and alone for the moment in which
	// closing moves.
	rolling sync.RWMutex
	// closing is the time before which buckets are written or being written.
	closing int64

	stop       context.CancelFunc
	background sync.WaitGroup
}

// Open opens the history in o.Dir, makes it if there is none, and replays the
// write-ahead log, which takes seconds to a minute after a crash under load and
// is told in the log. A damaged log is cut at the damage and that is told, too.
//
// It fails with a [*LockedError] if another process has the folder open, and
// with an error that says what to do if the folder cannot be written.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := prepareDir(o.Dir); err != nil {
		return nil, err
	}
	s := &Store{options: o, window: o.OutOfOrderWindow.Milliseconds(), refs: newRefMap()}
	s.epoch.Store(1)
	if s.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.closeParts())
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.watch(background) })
	s.background.Go(func() { s.syncLogs(background) })
	s.background.Go(func() { s.keepTiers(background) })
	return s, nil
}

func (s *Store) open() (err error) {
	start := time.Now()
	if s.space, err = newSpace(s.options.Dir, s.options.MinFree); err != nil {
		return err
	}
	if s.marks, err = openMarkLog(filepath.Join(s.options.Dir, "mend.log")); err != nil {
		return err
	}
	if s.tiers, err = openTiers(s.options); err != nil {
		return err
	}
	if s.raw, err = openRaw(s.options); err != nil {
		return err
	}
	s.closing = s.tiers.minute.End()
	s.options.Logger.Info("history is open", "dir", s.options.Dir, "took", time.Since(start).Round(time.Millisecond),
		"log_repaired", s.raw.repaired.Load() > 0, "hours_to_mend", s.marks.len())
	return nil
}

// Ref returns the handle of a series: the same one for equal series.
func (s *Store) Ref(series *metric.Series) *Ref { return s.refs.get(series) }

// Close waits for appends and open queriers to end, writes what is in memory
// and gives the folder back. A store can be closed twice.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.stop()
	s.background.Wait()
	return s.closeParts()
}

func (s *Store) closeParts() error {
	var errs []error
	if s.raw != nil {
		errs = append(errs, s.raw.close())
	}
	if s.tiers != nil {
		errs = append(errs, s.tiers.close())
	}
	if s.marks != nil {
		errs = append(errs, s.marks.close())
	}
	errs = append(errs, s.lock.Release())
	return errors.Join(errs...)
}

// clock is the time in milliseconds.
func (s *Store) clock() int64 { return s.options.Now().UnixMilli() }

// Tier names a resolution of history.
type Tier = tier.Resolution

// The tiers, the finest first.
const (
	Raw    = tier.Raw
	Minute = tier.Minute
	Hour   = tier.Hour
)

// counters count what the store did since it was opened.
type counters struct {
	stored, duplicates, rejected, failed atomic.Uint64
	rolled, mended                       atomic.Uint64
}

func (c *counters) appended(r AppendResult) {
	c.stored.Add(uint64(r.Stored))
	c.duplicates.Add(uint64(r.Duplicates))
	c.rejected.Add(uint64(len(r.Rejected)))
}

// Stats is what the store can say about itself.
type Stats struct {
	// Series is how many series have samples in memory, Refs how many handles
	// there are.
	Series, Refs int
	// Oldest and Newest are the times of the oldest and the newest raw sample in
	// milliseconds; both 0 if there is none.
	Oldest, Newest int64
	// Stored, Duplicates and Rejected count points since the store was opened,
	// Failed the batches refused whole.
	Stored, Duplicates, Rejected, Failed uint64
	// RawBlockBytes, MinuteBytes and HourBytes are sizes on disk; raw samples of
	// the last hours, which are not in a block yet, are not counted.
	RawBlockBytes, MinuteBytes, HourBytes int64
	// MinuteEnd and HourEnd are the times up to which the tiers are written, in
	// milliseconds; queries take the rest from raw. Before the first roll-up
	// they are 0.
	MinuteEnd, HourEnd int64
	// BucketsWritten counts the buckets written to the tiers since the store was
	// opened, HoursMended the hours of a host written anew.
	BucketsWritten, HoursMended uint64
	// HoursToMend is how many hours of a host wait to be written anew.
	HoursToMend int
	// Full says that writes are refused because the disk is full.
	Full bool
	// Recovering says that the log is to be opened anew after a failed write.
	Recovering bool
	// LogRepairs is how often a damaged write-ahead log was repaired.
	LogRepairs int64
}

// Stats returns the store's numbers; those of raw are 0 once it is closed.
func (s *Store) Stats() Stats {
	st := Stats{
		Refs: s.refs.len(), Stored: s.counters.stored.Load(), Duplicates: s.counters.duplicates.Load(),
		Rejected: s.counters.rejected.Load(), Failed: s.counters.failed.Load(),
		MinuteBytes: s.tiers.minute.Size(), HourBytes: s.tiers.hour.Size(),
		BucketsWritten: s.counters.rolled.Load(), HoursMended: s.counters.mended.Load(),
		HoursToMend: s.marks.len(), Full: s.space.full.Load(),
		Recovering: s.raw.walFailed.Load(), LogRepairs: s.raw.repaired.Load(),
	}
	if end := s.tiers.minute.End(); end != minTime {
		st.MinuteEnd = end
	}
	if end := s.tiers.hour.End(); end != minTime {
		st.HourEnd = end
	}
	if oldest, ok, err := s.raw.oldest(); err == nil && ok {
		st.Oldest = oldest
	}
	db, err := s.raw.acquire()
	if err != nil {
		return st
	}
	defer s.raw.release()
	st.Series = int(db.Head().NumSeries())
	if newest := db.Head().MaxTime(); newest != minTime {
		st.Newest = newest
	}
	for _, b := range db.Blocks() {
		st.RawBlockBytes += b.Size()
	}
	return st
}

// Health returns nil if the store takes writes, or the error that says why not.
func (s *Store) Health() error { return s.writable() }

// writable says why a batch cannot be taken.
func (s *Store) writable() error {
	switch {
	case s.closed.Load():
		return ErrClosed
	case s.space.full.Load():
		return fmt.Errorf("%w: less than %d MiB are left in %s; make room or lower the retention, writes are then taken again by themselves",
			ErrFull, max(s.space.minFree>>20, 1), s.options.Dir)
	case s.raw.walFailed.Load():
		return ErrUnavailable
	}
	return nil
}
