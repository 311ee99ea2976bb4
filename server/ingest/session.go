package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/store"
)

// maxSeriesID bounds the numbers that a stream may give to series, which index a
// table.
const maxSeriesID = 1 << 17

// Session is one stream of one reporter, in which series are named once and
// numbered. One goroutine uses it.
type Session struct {
	door   *Door
	host   *sender
	name   string
	series []defined // by number
	batch  batch
	read   uint64 // samples so far
	unkept error  // why samples that are live were not stored
}

// defined is a series of the session, or why it is none.
type defined struct {
	entry  *entry
	series *metric.Series // nil where none was defined
	err    error
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
	s := &Session{door: d, name: who.Hostname, host: host}
	if warning := d.opts.Fleet.Introduce(who); warning != "" {
		s.batch.receipt.Warnings = append(s.batch.receipt.Warnings, warning)
	}
	return s, nil
}

// Host is the name of the host whose session it is.
func (s *Session) Host() string { return s.name }

// Define gives a series a number. A series that may not be stored is remembered
// as such, and its samples are refused with the reason. t says what the sender
// knows of the metric type.
//
// Errors: the number is too great.
func (s *Session) Define(id uint32, series *metric.Series, t metric.Type) error {
	if id >= maxSeriesID {
		return fmt.Errorf("series number %d is too great: numbers run from 0 to %d", id, maxSeriesID-1)
	}
	for uint32(len(s.series)) <= id {
		s.series = append(s.series, defined{err: ErrUndefined})
	}
	e, err := s.host.entry(s.door, series)
	s.series[id] = defined{entry: e, series: series, err: err}
	if err == nil {
		s.door.opts.Fleet.Describe(t)
	}
	return nil
}

// Reserve makes room for n samples, which spares those that follow in many small
// parts the growing.
func (s *Session) Reserve(n int) { s.batch.reserve(n) }

// Add takes samples observed at one time, in milliseconds since the epoch, in
// columns of equal length. They are stored by the next Flush.
func (s *Session) Add(at int64, ids []uint32, values []float64) {
	tooEarly := s.door.checkTime(at)
	s.Reserve(len(ids))
	for i, id := range ids {
		index := s.read
		s.read++
		def := defined{err: ErrUndefined}
		if id < uint32(len(s.series)) {
			def = s.series[id]
		}
		err := def.err
		if err == nil {
			err = tooEarly
		}
		if err == nil {
			err = metric.CheckValue(values[i])
		}
		if err != nil {
			s.batch.receipt.reject(index, def.series, err)
			continue
		}
		s.batch.add(def.entry.ref, at, values[i], index)
	}
}

// Flush stores what was added since the last one. It waits where the host sends
// faster than it may, which slows the sender down by its stream.
//
// Samples that were just taken are live even while the history takes none; for
// their sake the stream goes on then, and [Session.Receipt] has the error.
//
// Errors: as [Door.Write], but for *[RateError].
func (s *Session) Flush(ctx context.Context) error {
	defer s.batch.reset()
	if err := s.host.wait(ctx, s.batch.size()); err != nil {
		return err
	}
	err := s.door.commit(ctx, s.name, &s.batch)
	if (errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUnavailable)) && s.door.isRecent(s.batch.newest) {
		s.unkept = err
		return nil
	}
	return err
}

// Receipt says what became of all that was flushed. An error means that nothing
// is promised of it: see [Session.Flush].
func (s *Session) Receipt() (Receipt, error) { return s.batch.receipt, s.unkept }
