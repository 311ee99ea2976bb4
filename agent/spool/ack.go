package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Ack says that the records from from up to, but not including, to are safe on
// the server: Read does not return them again. Ranges may come in any order,
// overlap, and name what is acknowledged or dropped already. Pass a Read's from
// and the position that it returned. Segments that are acknowledged as a whole
// are deleted.
//
// It returns ErrRange, and acknowledges nothing, when to is beyond End or below
// from. A disk that fails to take the acknowledgement is logged and tried again;
// all that is at stake is a second delivery after a restart.
func (s *Spool) Ack(from, to Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if from > to || to > s.next {
		return fmt.Errorf("spool: cannot acknowledge %d to %d: %w; the end is %d", from, to, ErrRange, s.next)
	}
	if s.done.add(from, to) == 0 && !s.acks.stale {
		return nil
	}
	if err := s.acks.save(&s.done); err != nil {
		s.logError("the spool cannot write its acknowledgements; some records will be sent twice after a restart", err)
	}
	s.removeDone()
	return nil
}

// removeDone deletes the segments of which nothing is left to deliver, but for
// the one that is being written.
func (s *Spool) removeDone() {
	for _, seg := range slices.Clone(s.segments) {
		if s.active != nil && seg == s.newest() {
			return
		}
		if s.done.covers(seg.base, seg.next) {
			s.remove(seg)
		}
	}
}

// remove takes a segment out of the queue and deletes its file as soon as nobody
// reads it.
func (s *Spool) remove(seg *segment) {
	i := slices.Index(s.segments, seg)
	if i < 0 {
		return
	}
	if i == len(s.segments)-1 && s.active != nil {
		_ = s.active.Close() // see seal
		s.active = nil
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	s.bytes -= seg.size
	s.cursors.forget(seg)
	seg.doomed = true
	s.deleteDoomed(seg)
}

// deleteDoomed deletes the file of a removed segment if it has no pins left;
// Windows does not delete what is open.
func (s *Spool) deleteDoomed(seg *segment) {
	if !seg.doomed || seg.pins > 0 {
		return
	}
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.logError("the spool cannot delete a segment that it needs no more", err)
	}
}

const (
	ackName      = "acked"
	ackSlotSize  = 4096
	ackHeader    = 24
	ackMaxRanges = (ackSlotSize - ackHeader - 4) / 16
)

var ackMagic = [6]byte{'v', 'a', 'c', 'k', 'e', 'd'}

// ackFile keeps on disk which positions are done. The package comment describes
// it. The zero value is not open: save does nothing but note that it is stale.
type ackFile struct {
	path       string
	file       *os.File
	generation uint64
	stale      bool // the last save failed
	buf        [ackSlotSize]byte
}

// load reads what an earlier process saved into done. A file of which no slot is
// good is as good as none: told by the result damaged.
func (a *ackFile) load(dir string, done *rangeSet) (damaged bool, err error) {
	a.path = filepath.Join(dir, ackName)
	b, err := os.ReadFile(a.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(b) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("spool: cannot read the acknowledgements: %w", err)
	}
	var best []byte
	for ; len(b) >= ackSlotSize; b = b[ackSlotSize:] {
		slot := b[:ackSlotSize]
		body := slot[:ackSlotSize-4]
		if !bytes.Equal(slot[:6], ackMagic[:]) || checksum(0, body) != binary.LittleEndian.Uint32(slot[ackSlotSize-4:]) {
			continue
		}
		if slot[6] > formatVersion {
			return false, newerFormat(a.path, slot[6])
		}
		if generation := binary.LittleEndian.Uint64(slot[8:]); best == nil || generation > a.generation {
			best, a.generation = slot, generation
		}
	}
	if best == nil {
		return true, nil
	}
	n := min(int(binary.LittleEndian.Uint32(best[16:])), ackMaxRanges)
	for i := range n {
		r := best[ackHeader+16*i:]
		done.add(Position(binary.LittleEndian.Uint64(r)), Position(binary.LittleEndian.Uint64(r[8:])))
	}
	return false, nil
}

// save writes done into the slot that is not the newest. It has reached the
// operating system, not the disk, when save returns.
func (a *ackFile) save(done *rangeSet) error {
	a.stale = true
	if a.file == nil {
		f, err := os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		a.file = f
	}
	a.encode(a.generation+1, done)
	if _, err := a.file.WriteAt(a.buf[:], int64((a.generation+1)%2)*ackSlotSize); err != nil {
		return err
	}
	a.generation++
	a.stale = false
	return nil
}

func (a *ackFile) encode(generation uint64, done *rangeSet) {
	spans := done.spans[:min(len(done.spans), ackMaxRanges)]
	b := a.buf[:0]
	b = append(b, ackMagic[:]...)
	b = append(b, formatVersion, 0)
	b = binary.LittleEndian.AppendUint64(b, generation)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(spans)))
	b = append(b, 0, 0, 0, 0)
	for _, r := range spans {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.from))
		b = binary.LittleEndian.AppendUint64(b, uint64(r.to))
	}
	clear(a.buf[len(b):])
	binary.LittleEndian.PutUint32(a.buf[ackSlotSize-4:], checksum(0, a.buf[:ackSlotSize-4]))
}

func (a *ackFile) sync() error {
	if a.file == nil {
		return nil
	}
	return a.file.Sync()
}

func (a *ackFile) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}
