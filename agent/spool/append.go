package spool

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// SetPreamble puts p in force for the records that are appended from now on; it
// is copied. Nothing is written before the next Append. A spool that was just
// opened has the empty preamble, whatever was in force before.
//
// Each change costs its size on disk once, and each new segment once more.
func (s *Spool) SetPreamble(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.checkSize(len(p), 0); err != nil {
		return err
	}
	if bytes.Equal(p, s.preamble.data) {
		return nil
	}
	s.preamble = preamble{bytes.Clone(p), checksum(0, p)}
	s.preambleOnDisk = false
	return nil
}

// checkSize tells whether a record fits with its preamble into a segment of its
// own and the budget.
func (s *Spool) checkSize(preamble, record int) error {
	need := segmentHeaderSize + 2*frameHeaderSize + int64(preamble) + int64(record)
	if max(preamble, record) <= maxBody && need <= s.opts.MaxBytes {
		return nil
	}
	return fmt.Errorf("spool: %d bytes of record and %d of preamble are %w: at most %d each and %d together; raise the spool's budget",
		record, preamble, ErrTooLarge, maxBody, s.opts.MaxBytes)
}

// Append adds a record at the end and returns its position. The record is copied
// and has reached the operating system when Append returns: it survives the death
// of the process at any moment after. time is the record's, in milliseconds since
// the Unix epoch; [Options.MaxAge] goes by it.
//
// On a full disk it drops the oldest segment and tries again; it returns
// ErrNoSpace if that does not help. The segment that is being written is not
// dropped for room as long as it holds what is not acknowledged. Other errors are
// ErrTooLarge, ErrClosed, and those of the file system. After any error but
// ErrClosed the spool goes on working, and the record is not in it.
func (s *Spool) Append(time int64, record []byte) (Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	if err := s.checkSize(len(s.preamble.data), len(record)); err != nil {
		return 0, err
	}
	s.dropAged()
	err := s.write(time, record)
	if isNoSpace(err) && s.makeRoom() {
		err = s.write(time, record)
	}
	if isNoSpace(err) {
		return 0, fmt.Errorf("spool: %w: %s: %w; free space on its disk or lower the spool's budget", ErrNoSpace, s.opts.Dir, err)
	}
	if err != nil {
		return 0, fmt.Errorf("spool: cannot append in %s: %w", s.opts.Dir, err)
	}
	pos := s.next
	s.next++
	s.newest().next = s.next
	s.wake()
	return pos, nil
}

// write puts a record behind the last one, in a new segment where one is due. It
// leaves nothing behind when it fails.
func (s *Spool) write(time int64, record []byte) error {
	size := s.newBytes(len(record))
	if s.active != nil && s.full(size, time) {
		s.seal()
		size = s.newBytes(len(record))
	}
	for len(s.segments) > 0 && s.bytes+size > s.opts.MaxBytes {
		s.dropOldest("its budget of bytes is used up")
	}
	if s.active == nil {
		return s.writeSegment(time, record)
	}
	seg := s.newest()
	s.buf = s.encode(s.buf[:0], seg.salt, time, record)
	if _, err := s.active.WriteAt(s.buf, seg.size); err != nil {
		if cut := s.active.Truncate(seg.size); cut != nil {
			s.seal() // what is behind seg.size stays there; nobody reads it
		}
		return err
	}
	s.wrote(seg, time)
	return nil
}

// newBytes is what a record of n bytes will take on disk.
func (s *Spool) newBytes(n int) int64 {
	size := int64(frameHeaderSize + n)
	if s.active == nil {
		size += segmentHeaderSize
	}
	if s.needsPreamble() {
		size += frameHeaderSize + int64(len(s.preamble.data))
	}
	return size
}

// needsPreamble tells whether the preamble has to be written before the next
// record. At the start of a segment the empty one is in force.
func (s *Spool) needsPreamble() bool {
	if s.active == nil {
		return len(s.preamble.data) > 0
	}
	return !s.preambleOnDisk
}

// full tells whether the next record belongs into a new segment: by size, or
// because the segment spans so long that it would outlive MaxAge by much.
func (s *Spool) full(size, time int64) bool {
	seg := s.newest()
	return seg.size+size > s.opts.SegmentBytes || time-seg.firstTime >= s.opts.MaxAge.Milliseconds()/16+1
}

// encode appends the frames of a record to dst.
func (s *Spool) encode(dst []byte, salt uint32, time int64, record []byte) []byte {
	if s.needsPreamble() {
		h := frameHeader{kind: kindPreamble, position: s.next, preambleSum: s.preamble.sum}
		dst = appendFrame(dst, salt, h, s.preamble.data)
	}
	h := frameHeader{kind: kindRecord, position: s.next, time: time, preambleSum: s.preamble.sum}
	return appendFrame(dst, salt, h, record)
}

// wrote accounts for s.buf, which is now in seg.
func (s *Spool) wrote(seg *segment, time int64) {
	seg.size += int64(len(s.buf))
	seg.lastTime = time
	seg.synced = false
	s.bytes += int64(len(s.buf))
	s.preambleOnDisk = true
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// writeSegment begins a segment with its first record.
func (s *Spool) writeSegment(time int64, record []byte) error {
	var salt [4]byte
	rand.Read(salt[:]) // never fails
	seg := &segment{
		path:      segmentPath(s.opts.Dir, s.next),
		salt:      binary.LittleEndian.Uint32(salt[:]),
		base:      s.next,
		next:      s.next,
		firstTime: time,
	}
	s.buf = appendSegmentHeader(s.buf[:0], segmentHeader{seg.salt, seg.base, time})
	s.buf = s.encode(s.buf, seg.salt, time, record)
	f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(s.buf, 0); err != nil {
		return errors.Join(err, f.Close(), os.Remove(seg.path))
	}
	s.segments = append(s.segments, seg)
	s.active = f
	s.dirDirty = true
	s.wrote(seg, time)
	return nil
}

// newest returns the last segment, of which there is one.
func (s *Spool) newest() *segment { return s.segments[len(s.segments)-1] }

// seal ends the active segment; the next record begins a new one. A segment that
// is acknowledged to its end goes.
func (s *Spool) seal() {
	if s.active == nil {
		return
	}
	// The data is with the operating system already, and the syncer opens the
	// file by its name: there is nothing left for Close to fail at.
	_ = s.active.Close()
	s.active = nil
	s.newest().sealed = true
	s.removeDone()
}

// ageNow is the time that ages are measured to: Now, or what Now would be had it
// not been set ahead since the spool was opened.
func (s *Spool) ageNow() time.Time {
	now, passed := s.opts.Now(), s.openedAt.Add(s.opts.elapsed()-s.openedAfter)
	if now.UnixMilli() > passed.UnixMilli() {
		return passed
	}
	return now
}

// dropAged drops the segments whose records are all older than MaxAge. Of a
// segment that is not the newest it takes the time at which the next one was begun
// for that of the last record.
func (s *Spool) dropAged() {
	limit := s.ageNow().Add(-s.opts.MaxAge).UnixMilli()
	for len(s.segments) > 0 {
		last := s.newest().lastTime
		if len(s.segments) > 1 {
			last = s.segments[1].firstTime
		}
		if last >= limit {
			return
		}
		s.dropOldest("its records are older than its budget of age")
	}
}

// makeRoom frees disk space at the cost of the oldest records.
func (s *Spool) makeRoom() bool {
	if len(s.segments) == 0 {
		return false
	}
	oldest := s.segments[0]
	if oldest == s.newest() && s.active != nil && !s.done.covers(oldest.base, oldest.next) {
		return false
	}
	s.dropOldest("its disk is full")
	if oldest.pins > 0 {
		// Its deletion waits for a reader or an fsync; the room is needed now. A
		// reader finds an end there and goes on with the next segment.
		return os.Truncate(oldest.path, 0) == nil
	}
	return true
}

// dropOldest drops the oldest segment and counts what was not acknowledged.
func (s *Spool) dropOldest(reason string) {
	seg := s.segments[0]
	if n := s.done.add(seg.base, seg.next); n > 0 {
		s.dropped += n
		s.dropLog.add(n, reason)
		s.logDropped(false)
	}
	s.remove(seg)
}

// throttle gathers a number to log until it may be logged.
type throttle struct {
	last   time.Time
	count  uint64
	reason string
}

func (t *throttle) add(n uint64, reason string) { t.count, t.reason = t.count+n, reason }

// take returns the number once in logInterval, or now.
func (t *throttle) take(now time.Time, force bool) (uint64, bool) {
	since := now.Sub(t.last)
	if t.count == 0 || !force && since >= 0 && since < logInterval {
		return 0, false
	}
	n := t.count
	t.last, t.count = now, 0
	return n, true
}

func (s *Spool) logDropped(force bool) {
	if n, ok := s.dropLog.take(s.opts.Now(), force); ok {
		s.opts.Logger.Warn("the spool dropped its oldest records before the server had them",
			"records", n, "reason", s.dropLog.reason, "dir", s.opts.Dir)
	}
}

func (s *Spool) logDamaged(force bool) {
	if n, ok := s.damageLog.take(s.opts.Now(), force); ok {
		s.opts.Logger.Error("records in the spool are damaged and lost; check the disk",
			"records", n, "where", s.damageLog.reason, "dir", s.opts.Dir)
	}
}

// logError says that something failed that will be tried again.
func (s *Spool) logError(what string, err error) {
	s.errorLog.add(1, what)
	if n, ok := s.errorLog.take(s.opts.Now(), false); ok {
		s.opts.Logger.Error(what, "error", err, "times", n, "dir", s.opts.Dir)
	}
}
