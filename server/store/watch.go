package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tsdb/fileutil"

	"github.com/vitals-rpc/vitals/durable"
)

const watchInterval = 200 * time.Millisecond

// watch keeps an eye on the disk, and opens raw anew after a failed write once
// there is room.
func (s *Store) watch(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	wasFull := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.space.check(); err != nil {
			s.options.Logger.Warn("watching the disk", "error", err)
		}
		if full := s.space.full.Load(); full != wasFull {
			wasFull = full
			if full {
				s.options.Logger.Error("the disk is full: writes are refused, reads go on", "dir", s.options.Dir)
			} else {
				s.options.Logger.Info("there is room on the disk again: writes are taken", "dir", s.options.Dir)
			}
		}
		if s.raw.walFailed.Load() && !s.space.full.Load() {
			s.recoverRaw()
		}
		if err := s.fitWindow(); err != nil {
			s.options.Logger.Error("late samples are refused, as the clock was ahead", "error", err)
		}
	}
}

// fitWindow has raw take what comes in now, and samples as late as ever, also where
// the clock was ahead once: what was stored then is newer than all that comes, and raw
// counts from its newest sample how late one may be.
func (s *Store) fitWindow() error {
	db, err := s.raw.acquire()
	if err != nil {
		return nil // it is closed, or being opened anew
	}
	defer s.raw.release()
	want := s.window
	if ahead := db.Head().MaxTime() - s.clock(); ahead > maxAhead {
		want += floor(ahead, hour) + hour
	}
	switch now := s.raw.oooWindow.Load(); {
	case want == now, want < now && want > s.window:
		return nil // it may be wider than it need be while the clock catches up
	case want > now:
		s.options.Logger.Warn("the history has samples of a time that has not come: the clock was ahead. Samples of now are late beside them, and are taken",
			"newest", time.UnixMilli(db.Head().MaxTime()).UTC().Format(time.RFC3339))
	}
	if err := db.ApplyConfig(&config.Config{StorageConfig: config.StorageConfig{
		TSDBConfig: &config.TSDBConfig{OutOfOrderTimeWindow: want},
	}}); err != nil {
		return err
	}
	s.raw.oooWindow.Store(want)
	return nil
}

// maxAhead is how far, in milliseconds, the newest sample may be ahead of the clock
// without more than the host's clock being a little off.
const maxAhead = 60_000

// isInTime reports whether a sample is late by no more than one may be, by the clock.
func (s *Store) isInTime(at int64) bool { return at >= s.clock()-s.window }

// recoverRaw opens raw anew. What the Refs know is void afterwards, since the
// log may hold more or less than the memory did.
func (s *Store) recoverRaw() {
	s.options.Logger.Warn("opening the raw history anew after a failed write to its log")
	if err := s.raw.reopen(func() { s.epoch.Add(1) }); err != nil {
		s.raw.walFailed.Store(true)
		s.options.Logger.Error("the raw history cannot be opened anew; trying again", "error", err)
		return
	}
	s.options.Logger.Info("the raw history is open again")
}

// writeFailed says to the caller what a failed write means. The log may be torn
// in the middle of a record, so nothing is written to it until it has been
// opened anew.
func (s *Store) writeFailed(err error, log bool) error {
	s.counters.failed.Add(1)
	if log {
		s.raw.walFailed.Store(true)
	}
	if isFull(err) || s.space.check() == nil && s.space.full.Load() {
		s.space.giveUp()
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	s.options.Logger.Error("a batch could not be written", "error", err)
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// syncLogs fsyncs the write-ahead logs on a timer, which bounds what a power
// cut can cost.
func (s *Store) syncLogs(ctx context.Context) {
	if s.options.SyncInterval < 0 {
		return
	}
	ticker := time.NewTicker(s.options.SyncInterval)
	defer ticker.Stop()
	synced := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.marks.file.Sync()
		for _, name := range []string{"wal", "wbl"} {
			err = errors.Join(err, syncNewest(filepath.Join(s.options.Dir, "raw", name), synced))
		}
		if err != nil {
			s.options.Logger.Warn("the write-ahead log could not be synced to disk", "error", err)
		}
	}
}

// syncNewest fsyncs the newest segment of a log; the TSDB has synced the others
// when it filled them. The folder is synced when a segment is new.
func syncNewest(dir string, synced map[string]string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.IsDir() })
	if len(entries) == 0 {
		return nil
	}
	path := filepath.Join(dir, entries[len(entries)-1].Name())
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a checkpoint has just taken it
	}
	if err != nil {
		return err
	}
	if err := errors.Join(fileutil.Fdatasync(file), file.Close()); err != nil {
		return err
	}
	if synced[dir] != path {
		synced[dir] = path
		return durable.SyncDir(dir)
	}
	return nil
}
