package spool

import (
	"errors"
	"os"
	"time"

	"github.com/vitals-rpc/vitals/durable"
)

// syncLoop forces what was appended to the disk, SyncInterval after the first
// append since the last time.
func (s *Spool) syncLoop() {
	defer close(s.syncDone)
	for {
		select {
		case <-s.stopSync:
			return
		case <-s.dirty:
		}
		select {
		case <-s.stopSync:
			return
		case <-time.After(s.opts.SyncInterval):
		}
		if err := s.sync(); err != nil {
			s.mu.Lock()
			s.logError("the spool cannot force its records to the disk; a power cut would lose them", err)
			s.mu.Unlock()
		}
	}
}

// sync forces all segments that have changed, and the folder if it has, to the
// disk. Appends go on meanwhile.
func (s *Spool) sync() error {
	segments, dir := s.takeUnsynced()
	var errs []error
	for _, seg := range segments {
		err := syncFile(seg.path)
		if err != nil {
			errs = append(errs, err)
		}
		s.endSync(seg, err == nil)
	}
	if dir {
		if err := durable.SyncDir(s.opts.Dir); err != nil {
			errs = append(errs, err)
			s.mu.Lock()
			s.dirDirty = true
			s.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

func (s *Spool) takeUnsynced() (segments []*segment, dir bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		if !seg.synced {
			seg.synced = true // until the next append to it
			seg.pins++
			segments = append(segments, seg)
		}
	}
	dir, s.dirDirty = s.dirDirty, false
	return segments, dir
}

func (s *Spool) endSync(seg *segment, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok {
		seg.synced = false
	}
	seg.pins--
	s.deleteDoomed(seg)
}

// syncFile opens the file anew, so that it needs no lock against the appender.
// An fsync covers the file, whoever wrote it.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing is left to lose
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
