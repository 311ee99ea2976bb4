package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/shirou/gopsutil/v4/disk"
)

// space watches how much room the disk has. It keeps a ballast file that is
// given up when the disk is full: the TSDB moves chunks from memory to disk in
// the background and panics where that fails, so it must have room even when
// another program has taken all there was.
type space struct {
	dir     string
	minFree int64
	ballast int64
	full    atomic.Bool
	mu      sync.Mutex
	holding bool
}

const (
	standardMinFree = 256 << 20
	mostBallast     = 32 << 20
)

func newSpace(dir string, minFree int64) (*space, error) {
	usage, err := disk.Usage(dir)
	if err != nil {
		return nil, fmt.Errorf("the room on the disk of %s cannot be read: %w", dir, err)
	}
	if minFree == 0 {
		minFree = min(standardMinFree, int64(usage.Total/20))
	}
	s := &space{dir: dir, minFree: minFree, ballast: min(minFree/2, mostBallast)}
	info, err := os.Stat(s.path())
	s.holding = err == nil && info.Size() >= s.ballast
	return s, s.check()
}

func (s *space) path() string { return filepath.Join(s.dir, "ballast") }

// check looks at the disk and sets full. The ballast goes when the disk is
// full, and comes back once there is room for it and as much again.
func (s *space) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	usage, err := disk.Usage(s.dir)
	if err != nil {
		return fmt.Errorf("the room on the disk of %s cannot be read: %w", s.dir, err)
	}
	free := int64(usage.Free)
	switch {
	case free < s.minFree-s.ballast && s.holding:
		s.full.Store(true)
		s.holding = false
		return os.Remove(s.path())
	case free < s.minFree:
		s.full.Store(true)
	case s.holding:
		s.full.Store(false)
	case free >= s.minFree+2*s.ballast:
		s.full.Store(false)
		return s.fill()
	}
	return nil
}

// fill makes the ballast.
func (s *space) fill() error {
	file, err := os.OpenFile(s.path(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return plain(err)
	}
	if err := fileutil.Preallocate(file, s.ballast, true); err != nil {
		return errors.Join(plain(err), file.Close(), os.Remove(s.path()))
	}
	s.holding = true
	return file.Close()
}

// give up the ballast at once: somebody needs the room now.
func (s *space) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full.Store(true)
	if s.holding {
		s.holding = false
		// Nothing is left to do if even that fails.
		_ = os.Remove(s.path())
	}
}
