package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/store"
)

// maxNumbers is how many series a stream may number, and one more than the greatest
// number.
const maxNumbers = 1 << 17

// Session is one stream of one reporter, in which series are named once and
// numbered. One goroutine uses it.
type Session struct {
	door   *Door
	host   *sender
	name   string
	series numbered
	mark   uint64 // of the last look for repeated series
	batch  batch
	read   uint64 // samples so far
	unkept error  // why samples that are live were not stored
	told   int64  // when the host was last told that its series are in use, in milliseconds since the epoch
}

// defined is a series of the session, or why it is none.
type defined struct {
	entry  *entry
	series *metric.Series // nil where none was defined
	err    error
	mark   uint64 // of the last look that has seen it
}

// undefined stands for what no number was given.
var undefined = defined{err: ErrUndefined}

// numbered are the series of a session by their numbers: in a table as long as they
// are given in order, as agents give them, and one by one beyond that. So a session
// holds no more than what its sender has sent.
type numbered struct {
	table  []defined
	beyond map[uint32]*defined
}

// get returns what has the number, or nil.
func (n *numbered) get(id uint32) *defined {
	if id < uint32(len(n.table)) { //nolint:gosec // at most maxNumbers
		return &n.table[id]
	}
	return n.beyond[id]
}

// set gives a number, in place of what had it.
func (n *numbered) set(id uint32, def defined) {
	switch last := uint32(len(n.table)); { //nolint:gosec // at most maxNumbers
	case id < last:
		n.table[id] = def
	case id == last:
		n.table = append(n.table, def)
		delete(n.beyond, id)
	default:
		if n.beyond == nil {
			n.beyond = map[uint32]*defined{}
		}
		n.beyond[id] = &def
	}
}

// all goes through them in no order.
func (n *numbered) all(yield func(*defined) bool) {
	for i := range n.table {
		if !yield(&n.table[i]) {
			return
		}
	}
	for _, def := range n.beyond {
		if !yield(def) {
			return
		}
	}
}

// Open starts a session.
//
// Errors: the reporter's host name is none; *[HostLimitError].
func (d *Door) Open(who fleet.Reporter) (*Session, error) {
	if err := metric.CheckHost(who.Hostname); err != nil {
		return nil, err
	}
	host, err := d.sender(who.Hostname)
	if err != nil {
		return nil, err
	}
	s := &Session{door: d, name: who.Hostname, host: host, told: d.opts.Now().UnixMilli()}
	if warning := d.opts.Fleet.Introduce(who); warning != "" {
		s.batch.receipt.Warnings = append(s.batch.receipt.Warnings, warning)
	}
	return s, nil
}

// Host is the name of the host whose session it is.
func (s *Session) Host() string { return s.name }

// Define gives a series a number. A series that may not be stored is remembered
// as such, and its samples are refused with the reason. t says what the sender
// knows of the metric type. as is what the series was spelled as, of which there is
// one value for all that are spelled alike, such as a pointer; nil: nothing that
// comes again.
//
// Errors: the number is too great.
func (s *Session) Define(id uint32, series *metric.Series, t metric.Type, as any) error {
	if id >= maxNumbers {
		return fmt.Errorf("series number %d is too great: numbers run from 0 to %d", id, maxNumbers-1)
	}
	e, err := s.host.entry(s.door, series)
	s.series.set(id, defined{entry: e, series: series, err: err})
	if err == nil {
		s.door.opts.Fleet.Describe(t)
		if as != nil {
			s.host.spell(e, as)
		}
	}
	return nil
}

// DefineAgain gives a number to a series that [Session.Define] has taken for this
// host, in this session or an earlier one, spelled as what is given. It reports
// whether there is one; agents name the same series in each of their streams, and
// so need not be understood again.
func (s *Session) DefineAgain(id uint32, as any) bool {
	if id >= maxNumbers {
		return false
	}
	e := s.host.spelling(s.door, as)
	if e == nil {
		return false
	}
	s.series.set(id, defined{entry: e, series: e.ref.Series()})
	return true
}

// Round is samples observed at one time, in columns of equal length: Values[i] is
// of the series numbered IDs[i].
type Round struct {
	// Time is in milliseconds since the Unix epoch.
	Time   int64
	IDs    []uint32
	Values []float64
}

// Add takes rounds, whose slices it keeps no longer than the call. They are stored
// by the next Flush.
func (s *Session) Add(rounds ...Round) {
	n := 0
	for _, r := range rounds {
		n += len(r.IDs)
	}
	s.batch.reserve(n)
	for len(rounds) > 0 {
		n := s.alike(rounds)
		s.add(rounds[:n])
		rounds = rounds[n:]
	}
}

// alike is how many of the rounds, one at least, have the same series in the same
// order, each series once, at times that grow.
func (s *Session) alike(rounds []Round) int {
	n := 1
	// First, so that rounds are looked at once, however a sender has made them up.
	if len(rounds) == 1 || s.repeats(rounds[0].IDs) {
		return n
	}
	for n < len(rounds) && rounds[n].Time > rounds[n-1].Time && equal(rounds[n].IDs, rounds[0].IDs) {
		n++
	}
	return n
}

// equal is quick where the numbers are the same slice, as they are where a report's
// rounds share them.
func equal(a, b []uint32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// repeats reports whether a series is there twice.
func (s *Session) repeats(ids []uint32) bool {
	s.mark++
	for _, id := range ids {
		def := s.series.get(id)
		if def == nil {
			continue
		}
		if def.mark == s.mark {
			return true
		}
		def.mark = s.mark
	}
	return false
}

// add takes rounds that are alike, one series after the other: all that is known of
// a series is at hand then for all of its samples, here and in the history.
func (s *Session) add(rounds []Round) {
	inTime := len(rounds)
	for inTime > 0 && s.door.checkTime(rounds[inTime-1].Time) != nil {
		inTime--
	}
	width := uint64(len(rounds[0].IDs))
	step := width
	if len(rounds) == 1 {
		step = 1 // from series to series
	}
	for i, id := range rounds[0].IDs {
		def := s.series.get(id)
		if def == nil {
			def = &undefined
		}
		for r, round := range rounds {
			index := s.read + uint64(r)*width + uint64(i) //nolint:gosec // counts
			err := def.err
			if err == nil && r >= inTime {
				err = s.door.checkTime(round.Time)
			}
			if err == nil {
				err = metric.CheckValue(round.Values[i])
			}
			if err != nil {
				s.batch.receipt.reject(index, def.series, err)
				continue
			}
			s.batch.add(def.entry, round.Time, round.Values[i], index, step)
		}
	}
	s.read += width * uint64(len(rounds))
}

// Flush stores what was added since the last one. It waits where the host sends
// faster than it may, which slows the sender down by its stream.
//
// Samples that were just taken are live even while the history takes none; for
// their sake the stream goes on then, and [Session.Receipt] has the error.
//
// Errors: as [Door.Write], but for *[RateError] and *[BatchSizeError].
func (s *Session) Flush(ctx context.Context) error {
	defer s.batch.reset()
	if now := s.door.opts.Now().UnixMilli(); now-s.told >= seriesIdle/4 {
		s.told = now
		s.host.touch(&s.series, now)
	}
	if err := s.host.wait(ctx, s.batch.size()); err != nil {
		return err
	}
	err := s.door.commit(ctx, s.host, s.name, &s.batch)
	if (errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUnavailable)) && s.door.isRecent(s.batch.newest) {
		s.unkept = err
		return nil
	}
	return err
}

// Receipt says what became of all that was flushed. An error means that nothing
// is promised of it: see [Session.Flush].
func (s *Session) Receipt() (Receipt, error) { return s.batch.receipt, s.unkept }
