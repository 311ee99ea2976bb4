// Package tier keeps history in buckets of one width: for each series and
// bucket the least, the greatest, the sum, the number and the last of the
// samples. It is written in whole stretches and read in columns.
//
// A tier is a folder of immutable segments, each with the buckets that some
// series have in some stretch of time. A segment is written under another name,
// synced and renamed, so that it is there whole or not at all. Segments may
// overlap: where two hold the same bucket of a series, the one with more
// samples is right, because samples are only ever added. So merging does not
// depend on order, and doing it again changes nothing.
//
// Values are packed with as many bits as a stretch of them needs, each column
// on its own and at a fixed width: any part of a column is read without the
// part before it, at a few nanoseconds a value.
package tier

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Resolution names how finely history is kept.
type Resolution uint8

// The resolutions, the finest first.
const (
	// Raw is every sample as it came.
	Raw Resolution = iota
	// Minute is buckets of a minute.
	Minute
	// Hour is buckets of an hour.
	Hour
)

// String returns "raw", "minute" or "hour".
func (r Resolution) String() string {
	return [...]string{"raw", "minute", "hour"}[r]
}

// Step is the width of a bucket in milliseconds; 0 for Raw.
func (r Resolution) Step() int64 {
	return [...]int64{0, 60_000, 3_600_000}[r]
}

// Partition is the stretch of time, in milliseconds, that no segment crosses: a
// day of minutes, thirty days of hours.
func (r Resolution) Partition() int64 {
	return [...]int64{1, 86_400_000, 30 * 86_400_000}[r]
}

// never is the end of a tier that holds nothing.
const never = -1 << 63

// Tier is the history of one resolution. Reads run side by side with each other
// and with writes; writes, merges and expiry belong to one goroutine.
type Tier struct {
	resolution Resolution
	dir        string
	logger     *slog.Logger

	mu       sync.Mutex
	segments []*segment // by start
	end      int64
	serial   uint64
	damaged  [][2]int64
}

// Open opens the tier in dir and makes the folder if there is none. A segment
// that is damaged is put aside and told; see [Tier.Damaged].
func Open(dir string, resolution Resolution, logger *slog.Logger) (*Tier, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	t := &Tier{resolution: resolution, dir: dir, logger: logger, end: never}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasSuffix(path, ".tmp"):
			err = os.Remove(path)
		case strings.HasSuffix(path, ".segment"):
			err = t.load(path)
		}
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	t.sort()
	return t, nil
}

func (t *Tier) load(path string) error {
	name, err := parseName(filepath.Base(path))
	if err != nil {
		return err
	}
	t.serial = max(t.serial, name.serial)
	s, err := openSegment(path, name, t.resolution)
	if errors.Is(err, errDamaged) {
		t.logger.Error("a file of the history is damaged and was put aside; it is made again if its samples are still there",
			"file", path, "error", err)
		t.Damage(name.from, name.to)
		return os.Rename(path, path+".damaged")
	}
	if err != nil {
		return err
	}
	t.segments = append(t.segments, s)
	t.end = max(t.end, s.to)
	return nil
}

func (t *Tier) sort() {
	slices.SortFunc(t.segments, func(a, b *segment) int {
		if a.from != b.from {
			return cmp.Compare(a.from, b.from)
		}
		return cmp.Compare(a.serial, b.serial)
	})
}

// read appends the series' buckets of a segment that start in [from, to); none where
// they are damaged.
func (t *Tier) read(s *segment, id ID, from, to int64, out *Columns) {
	n := out.Len()
	err := s.read(id, from, to, out)
	if err == nil {
		return
	}
	out.truncate(n)
	t.mu.Lock()
	told := s.told
	s.told = true
	t.mu.Unlock()
	if !told {
		t.logger.Error("a file of the history is damaged; what is lost is made again if its samples are still there", "file", s.path, "error", err)
		t.Damage(s.from, s.to)
	}
}

// Damage notes that something is missing in [from, to), in milliseconds, which was
// there.
func (t *Tier) Damage(from, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.damaged = append(t.damaged, [2]int64{from, to})
}

// Damaged returns the stretches, from and to in milliseconds, in which something was
// found damaged since it was last asked.
func (t *Tier) Damaged() [][2]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	damaged := t.damaged
	t.damaged = nil
	return damaged
}

// End is the time before which the tier is written, in milliseconds: the end of
// its newest segment, or the least int64 if there never was one.
func (t *Tier) End() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

// Start is the time at which the oldest segment begins; ok is false if there is
// none.
func (t *Tier) Start() (start int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.segments) == 0 {
		return 0, false
	}
	return t.segments[0].from, true
}

// Pass notes that there is nothing to write before end.
func (t *Tier) Pass(end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = max(t.end, end)
}

// Size is how many bytes the segments take on disk.
func (t *Tier) Size() (bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.segments {
		bytes += int64(len(s.data))
	}
	return bytes
}

// Segments is how many segments there are.
func (t *Tier) Segments() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.segments)
}

// publish makes a segment visible and takes those away that it replaces.
func (t *Tier) publish(s *segment, replaced []*segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.segments = slices.DeleteFunc(t.segments, func(old *segment) bool { return slices.Contains(replaced, old) })
	if s != nil {
		t.segments = append(t.segments, s)
		t.end = max(t.end, s.to)
	}
	t.sort()
	for _, old := range replaced {
		old.dead = true
		t.drop(old)
	}
}

// drop unmaps a segment that nobody reads any more. Its file goes with it if
// another segment has taken its place.
func (t *Tier) drop(s *segment) {
	if s.readers > 0 || !s.dead {
		return
	}
	if err := errors.Join(s.file.Close(), os.Remove(s.path)); err != nil {
		t.logger.Warn("a file of the history that is no longer needed could not be removed", "file", s.path, "error", err)
	}
}

// Expire removes the segments that end at or before the time, in milliseconds.
func (t *Tier) Expire(before int64) (removed int) {
	var old []*segment
	t.mu.Lock()
	for _, s := range t.segments {
		if s.to <= before {
			old = append(old, s)
		}
	}
	t.mu.Unlock()
	if len(old) > 0 {
		t.publish(nil, old)
	}
	return len(old)
}

// Live adds the series that have a bucket in some segment.
func (t *Tier) Live(ids map[ID]struct{}) {
	v := t.View(never, 1<<63-1)
	defer v.Close()
	for _, id := range v.IDs() {
		ids[id] = struct{}{}
	}
}

// Close unmaps the segments. No View may be open.
func (t *Tier) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, s := range t.segments {
		errs = append(errs, s.file.Close())
	}
	t.segments = nil
	return errors.Join(errs...)
}

// name is what a segment's file name tells.
type name struct {
	from, to int64
	level    int
	serial   uint64
}

func (n name) String() string {
	return fmt.Sprintf("%d_%d_%d_%d.segment", n.from, n.to, n.level, n.serial)
}

func parseName(file string) (n name, err error) {
	if _, err := fmt.Sscanf(file, "%d_%d_%d_%d.segment", &n.from, &n.to, &n.level, &n.serial); err != nil || n.String() != file {
		return n, fmt.Errorf("%s is not a file of this program; move it out of the data folder", file)
	}
	return n, nil
}

// settle is how long a finished partition must be left alone before its
// segments are merged into one.
const settle = 10 * time.Minute

// fan is how many segments of one level are merged into one of the next.
const fan = 8
