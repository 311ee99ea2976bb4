package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// recover takes up what an earlier process left in the folder.
func (s *Spool) recover() error {
	noAcks, err := s.acks.load(s.opts.Dir, &s.done)
	if err != nil {
		return err
	}
	if noAcks {
		s.opts.Logger.Warn("the spool's acknowledgements are damaged; what is left in it will be sent again", "dir", s.opts.Dir)
	}
	s.done.add(0, 1) // no record has position 0
	files, err := s.listSegments()
	if err != nil {
		return err
	}
	if err := checkVersions(files); err != nil {
		return err
	}
	for i, file := range files {
		end := s.done.end()
		if i+1 < len(files) {
			end = files[i+1].base
		}
		if err := s.recoverSegment(file, end, i+1 == len(files)); err != nil {
			return err
		}
	}
	s.finishRecovery()
	return nil
}

// segmentFile is a file with a segment's name.
type segmentFile struct {
	base Position
	path string
	size int64
}

func (s *Spool) listSegments() ([]segmentFile, error) {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("spool: cannot list the folder: %w", err)
	}
	var files []segmentFile
	for _, e := range entries {
		base, ok := parseSegmentName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("spool: cannot list the folder: %w", err)
		}
		files = append(files, segmentFile{base, segmentPath(s.opts.Dir, base), info.Size()})
	}
	slices.SortFunc(files, func(a, b segmentFile) int { return cmp.Compare(a.base, b.base) })
	return files, nil
}

// checkVersions comes before anything is changed: what a newer program wrote is
// left exactly as it is.
func checkVersions(files []segmentFile) error {
	for _, file := range files {
		b, err := readHeader(file.path)
		if err != nil {
			return err
		}
		if _, state := parseSegmentHeader(b); state == headerNewer {
			return newerFormat(file.path, b[6])
		}
	}
	return nil
}

// readHeader returns as much of a segment's header as can be read: what cannot is
// as good as damaged.
func readHeader(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("spool: cannot open a segment; correct its permissions: %w", err)
	}
	defer f.Close() // only read: nothing to lose
	b := make([]byte, segmentHeaderSize)
	n, _ := f.ReadAt(b, 0)
	return b[:n], nil
}

// recoverSegment takes up one file, or deletes it if it cannot be read at all.
// Only the last one can have an end that a crash left half written, so only that
// one is read through; Read finds what is wrong with the others.
func (s *Spool) recoverSegment(file segmentFile, next Position, last bool) error {
	b, err := readHeader(file.path)
	if err != nil {
		return err
	}
	h, state := parseSegmentHeader(b)
	if state != headerGood || h.base != file.base {
		return s.deleteDamaged(file, next)
	}
	seg := &segment{
		path: file.path, salt: h.salt, base: h.base, next: next, size: file.size,
		firstTime: h.time, lastTime: h.time, sealed: true,
	}
	if last {
		if keep, err := s.recoverTail(seg); err != nil || !keep {
			return err
		}
	}
	s.segments = append(s.segments, seg)
	s.bytes += seg.size
	return nil
}

func newerFormat(path string, version byte) error {
	return fmt.Errorf("spool: %w: %s has version %d, this program knows up to %d; run the newer program, or move the folder away and lose what is in it",
		ErrNewerFormat, path, version, formatVersion)
}

// deleteDamaged gives up a file whose header is damaged.
func (s *Spool) deleteDamaged(file segmentFile, next Position) error {
	s.opts.Logger.Error("a segment of the spool has a damaged header and is lost; check the disk", "file", file.path, "bytes", file.size)
	s.lose(span{file.base, next}, file.path)
	s.next = max(s.next, file.base)
	if err := os.Remove(file.path); err != nil {
		return fmt.Errorf("spool: cannot delete a damaged segment; delete it: %w", err)
	}
	return nil
}

// recoverTail reads the last segment through, cuts off what is not whole at its
// end and goes on writing to it. It tells whether it kept the segment.
func (s *Spool) recoverTail(seg *segment) (keep bool, err error) {
	f, err := os.OpenFile(seg.path, os.O_RDWR, 0)
	if err != nil {
		return false, fmt.Errorf("spool: cannot open a segment for writing; correct its permissions: %w", err)
	}
	defer func() {
		if !keep {
			_ = f.Close() // nothing was written
		}
	}()
	r := newSegmentReader(f, seg.salt, place{offset: segmentHeaderSize}, seg.size, seg.base, maxChunk)
	next, err := s.scan(r, seg)
	if err != nil {
		return false, fmt.Errorf("spool: cannot read %s; check the disk, or move the file away and lose what is in it: %w", seg.path, err)
	}
	s.next = max(s.next, next, r.seen)
	if cut := seg.size - r.goodEnd; cut > 0 {
		s.opts.Logger.Warn("the end of the spool was not whole and is cut off, as after a crash of the machine",
			"file", seg.path, "bytes", cut)
	}
	s.lose(span{next, s.next}, seg.path)
	if next == seg.base {
		if err := errors.Join(f.Close(), os.Remove(seg.path)); err != nil {
			return false, fmt.Errorf("spool: cannot delete an empty segment; correct the folder's permissions: %w", err)
		}
		return false, nil
	}
	if err := f.Truncate(r.goodEnd); err != nil {
		return false, fmt.Errorf("spool: cannot cut off a damaged end: %w", err)
	}
	seg.size, seg.sealed = r.goodEnd, false
	s.active = f
	s.preambleOnDisk = bytes.Equal(r.preamble.data, s.preamble.data)
	return true, nil
}

// scan reads all records and returns one past the last one's position.
func (s *Spool) scan(r *segmentReader, seg *segment) (Position, error) {
	next := seg.base
	for {
		rec, err := r.next(0)
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		s.lose(span{next, rec.Position}, seg.path)
		next = rec.Position + 1
		seg.lastTime = rec.Time
		r.kept = false // nobody looks at rec any more
	}
}

// finishRecovery settles where the queue begins and ends. What was acknowledged
// beyond the last record that is left was lost with the machine; its positions are
// not given again, or the new records would pass for acknowledged.
func (s *Spool) finishRecovery() {
	end := max(s.next, 1)
	s.next = max(end, s.done.end())
	s.lose(span{end, s.next}, s.opts.Dir)
	first := s.next
	if len(s.segments) > 0 {
		s.newest().next = s.next
		first = s.segments[0].base
	}
	s.done.add(0, first)
	if s.damaged > 0 {
		if err := s.acks.save(&s.done); err != nil {
			s.logError("the spool cannot write its acknowledgements; some records will be sent twice after a restart", err)
		}
	}
	s.removeDone()
	s.dropAged()
	if len(s.segments) > 0 {
		s.dirty <- struct{}{} // the process before may have died before its fsync
		s.dirDirty = true
	}
}

// lose counts records that are damaged, once each.
func (s *Spool) lose(r span, where string) {
	if r.from >= r.to {
		return
	}
	if n := s.done.add(r.from, r.to); n > 0 {
		s.damaged += n
		s.damageLog.add(n, where)
		s.logDamaged(false)
	}
}
