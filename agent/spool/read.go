package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
)

const (
	minChunk = 16 << 10
	maxChunk = 256 << 10
)

// Read returns the records at or after from that are not acknowledged, in order,
// and the position to go on from. The zero Position stands for the oldest one.
//
// It returns at most maxRecords records with at most maxBytes of data together,
// but at least one if there is one; a limit of zero or less is none. It returns
// none only at the end: then next is End, or was when Read looked. A position
// beyond the end is taken for the end.
//
// A reader sees by the positions when records are missing: they were acknowledged
// by another reader, dropped for the budget ([Stats].Dropped), or damaged
// ([Stats].Damaged). It acknowledges from and next all the same.
//
// The error is ErrClosed, or one of opening a file, after which the same call can
// be made again. What a disk fails to read is logged and passed over.
func (s *Spool) Read(from Position, maxRecords, maxBytes int) (records []Record, next Position, err error) {
	b := batch{maxRecords: maxRecords, maxBytes: maxBytes}
	if maxRecords <= 0 {
		b.maxRecords = math.MaxInt
	}
	if maxBytes <= 0 {
		b.maxBytes = math.MaxInt
	}
	for !b.full() {
		p, err := s.pin(from)
		if err != nil {
			return b.records, from, err
		}
		if p.segment == nil {
			return b.records, p.from, nil
		}
		if from, err = s.readSpan(p, &b); err != nil {
			return b.records, from, err
		}
	}
	return b.records, from, nil
}

// batch gathers the records of one Read.
type batch struct {
	maxRecords, maxBytes int
	records              []Record
	bytes                int
	refused              bool // the last record did not fit
}

func (b *batch) full() bool {
	return b.refused || len(b.records) >= b.maxRecords || b.bytes >= b.maxBytes
}

func (b *batch) add(r Record) bool {
	if len(b.records) > 0 && len(r.Data) > b.maxBytes-b.bytes {
		b.refused = true
		return false
	}
	b.records = append(b.records, r)
	b.bytes += len(r.Data)
	return true
}

// chunk is how much to read of a file at a time.
func (b *batch) chunk() int {
	want := min(b.maxBytes-b.bytes, maxChunk)
	if n := b.maxRecords - len(b.records); n < maxChunk/4096 {
		want = min(want, n*4096)
	}
	return max(want, minChunk)
}

// pinned is a run of positions in one segment, none of them done when it was
// pinned. The segment's file stays until unpin.
type pinned struct {
	*segment
	span
	at  place // where to begin
	low Position
	end int64
}

// pin finds where to read on. At the end of the queue the segment is nil.
func (s *Spool) pin(from Position) (pinned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return pinned{}, ErrClosed
	}
	s.dropAged()
	run := s.done.gap(from)
	if run.from >= s.next {
		return pinned{span: span{s.next, s.next}}, nil
	}
	// The segment is the last one that begins at or before run.from: below the
	// first segment all is done.
	i := sort.Search(len(s.segments), func(i int) bool { return s.segments[i].base > run.from }) - 1
	if i < 0 {
		return pinned{}, fmt.Errorf("spool: no segment has position %d", run.from)
	}
	seg := s.segments[i]
	run.to = min(run.to, seg.next)
	seg.pins++
	p := pinned{segment: seg, span: run, at: place{offset: segmentHeaderSize}, low: seg.base, end: seg.size}
	if c, ok := s.cursors.find(seg, run.from); ok {
		p.at, p.low = c.place, c.position
	}
	return p, nil
}

func (s *Spool) unpin(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.pins--
	s.deleteDoomed(seg)
}

// readSpan reads what p has into b and returns where to go on.
func (s *Spool) readSpan(p pinned, b *batch) (Position, error) {
	defer s.unpin(p.segment)
	f, err := os.Open(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return p.to, s.loseFile(p.segment)
	}
	if err != nil {
		return p.from, fmt.Errorf("spool: cannot read: %w", err)
	}
	defer f.Close() // only read: nothing to lose
	r := newSegmentReader(f, p.salt, p.at, p.end, p.low, b.chunk())
	pos := p.from
	var gaps []span
	for pos < p.to && !b.full() {
		mark := r.place
		rec, err := r.next(pos)
		if err != nil && !errors.Is(err, io.EOF) {
			s.mu.Lock()
			s.logError("the disk fails to read a part of the spool; its records are passed over", err)
			s.mu.Unlock()
			pos = p.to
			break
		}
		if errors.Is(err, io.EOF) || rec.Position >= p.to {
			gaps = append(gaps, span{pos, p.to})
			pos, r.place = p.to, mark
			break
		}
		if rec.Position > pos {
			gaps = append(gaps, span{pos, rec.Position})
		}
		pos = rec.Position
		if !b.add(rec) {
			r.place = mark
			break
		}
		pos++
	}
	s.endRead(p, pos, r.place, gaps)
	return pos, nil
}

// endRead keeps the place for the reader's next call and counts what it missed.
func (s *Spool) endRead(p pinned, pos Position, at place, gaps []span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.doomed && (!p.sealed || pos < p.segment.next) {
		s.cursors.put(cursor{pos, p.segment, at})
	}
	for _, gap := range gaps {
		s.lose(gap, p.path)
	}
	if len(gaps) > 0 {
		s.removeDone()
	}
}

// loseFile gives up a segment whose file someone deleted.
func (s *Spool) loseFile(seg *segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose(span{seg.base, seg.next}, seg.path)
	s.remove(seg)
	return nil
}

// Wait returns when there is a record at or after pos that is not acknowledged:
// at once if there is one now. Else it returns ctx's error or ErrClosed.
func (s *Spool) Wait(ctx context.Context, pos Position) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return ErrClosed
		}
		if s.done.gap(pos).from < s.next {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// wake lets those who wait look again.
func (s *Spool) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// cursor is where a reader stopped: position is the next one at place.
type cursor struct {
	position Position
	segment  *segment
	place
}

// cursorCache remembers where the last few reads stopped, so that the next ones
// need not search their segments from the start. It is no more than a shortcut.
type cursorCache struct {
	entries [8]cursor
	oldest  int
}

// find returns the nearest cursor of seg at or before pos.
func (c *cursorCache) find(seg *segment, pos Position) (best cursor, ok bool) {
	for _, e := range c.entries {
		if e.segment == seg && e.position <= pos && e.position > best.position {
			best, ok = e, true
		}
	}
	return best, ok
}

func (c *cursorCache) put(e cursor) {
	for i := range c.entries {
		if c.entries[i].segment == e.segment && c.entries[i].position == e.position {
			c.entries[i] = e
			return
		}
	}
	c.entries[c.oldest] = e
	c.oldest = (c.oldest + 1) % len(c.entries)
}

// forget lets go of a segment that was removed.
func (c *cursorCache) forget(seg *segment) {
	for i := range c.entries {
		if c.entries[i].segment == seg {
			c.entries[i] = cursor{}
		}
	}
}
