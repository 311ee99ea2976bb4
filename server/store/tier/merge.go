package tier

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"
)

// Merge merges segments, so that a read opens few: eight of one level become one
// of the next, and those of a partition that is over become one once they have
// been left alone for ten minutes. It returns how many merges it made.
func (t *Tier) Merge(ctx context.Context) (merges int, err error) {
	for {
		group, level := t.mergeable()
		if len(group) == 0 {
			return merges, nil
		}
		if err := t.merge(ctx, group, level); err != nil {
			return merges, err
		}
		merges++
	}
}

const topLevel = 9

// mergeable finds segments that are to become one.
func (t *Tier) mergeable() (group []*segment, level int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	width := t.resolution.Partition()
	for i := 0; i < len(t.segments); {
		base := t.segments[i].base
		j := i
		for j < len(t.segments) && t.segments[j].base == base {
			j++
		}
		inside := t.segments[i:j]
		i = j
		if len(inside) < 2 {
			continue
		}
		if base+width <= t.end && (len(inside) >= fan || settled(inside)) {
			return slices.Clone(inside), topLevel
		}
		for level := range topLevel {
			var same []*segment
			for _, s := range inside {
				if s.level == level {
					same = append(same, s)
				}
			}
			if len(same) >= fan {
				return same, level + 1
			}
		}
	}
	return nil, 0
}

// settled says that none of the segments is young.
func settled(segments []*segment) bool {
	for _, s := range segments {
		info, err := os.Stat(s.path)
		if err != nil || time.Since(info.ModTime()) < settle {
			return false
		}
	}
	return true
}

func (t *Tier) merge(ctx context.Context, group []*segment, level int) error {
	from, to := group[0].from, group[0].to
	var ids []ID
	for _, s := range group {
		from, to = min(from, s.from), max(to, s.to)
		for i := range s.count {
			ids = append(ids, s.id(i))
		}
	}
	slices.Sort(ids)
	w, err := t.writer(from, to, level)
	if err != nil {
		return err
	}
	var c Columns
	for i, id := range slices.Compact(ids) {
		if i%1024 == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), w.Abort())
		}
		c.Reset()
		for _, s := range group {
			t.read(s, id, from, to, &c)
		}
		c.Merge()
		w.Add(id, &c)
	}
	return w.finish(group)
}
