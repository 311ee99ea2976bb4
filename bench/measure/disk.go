package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/recording"
	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
)

// diskAim is in bytes a raw sample.
const diskAim = 1.5

// disk measures what a recorded host's samples take once they are compacted.
func (b *bench) disk(ctx context.Context, t *result.Table) error {
	r, err := recording.ReadFile(b.record)
	if err != nil {
		return fmt.Errorf("%w; make one with: go run ./record -for 1h -out %s", err, b.record)
	}
	if b.types {
		if err := typeTable(r); err != nil {
			return err
		}
	}
	n := float64(r.Samples())
	first, last := r.Bounds()
	length := time.Duration(last-first) * time.Millisecond
	raw, minutes, err := b.storedSize(ctx, r)
	if err != nil {
		return err
	}
	plain, err := b.plainSize(ctx, r, chunkenc.EncXOR)
	if err != nil {
		return err
	}
	second, err := b.plainSize(ctx, r, chunkenc.EncXOR2)
	if err != nil {
		return err
	}
	beside := []string{fmt.Sprintf("today's TSDB by itself %.2f, with its XOR2 %.2f", float64(plain.all)/n, float64(second.all)/n)}
	for _, p := range b.receivers(ctx) {
		size, err := b.receiverSize(ctx, p, r)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		beside = append(beside, fmt.Sprintf("%s %.2f (index %.2f)", p.name, float64(size.all)/n, float64(size.index)/n))
	}
	what := fmt.Sprintf("bytes a raw sample, %s of a real host, %d series, %.0fk samples", length.Round(time.Minute), len(r.Series), n/1000)
	t.Add(what, fmt.Sprintf("%.2f (index %.2f)", float64(raw.all)/n, float64(raw.index)/n), fmt.Sprintf("%s; aim %.1f", strings.Join(beside, "; "), diskAim), result.AtMost(float64(raw.all)/n, diskAim))
	t.Add("bytes a raw sample of the minute tier on top", fmt.Sprintf("%.2f", float64(minutes)/n), "", "")
	return nil
}

// storedSize puts the recording into the store, compacts it as the store does
// when a block is full, and returns the sizes of raw and of the minute tier.
func (b *bench) storedSize(ctx context.Context, r *recording.Recording) (raw size, minutes int64, err error) {
	dir, remove, err := b.folder()
	if err != nil {
		return raw, 0, err
	}
	defer remove()
	_, last := r.Bounds()
	s, err := store.Open(ctx, store.Options{Dir: dir, MinFree: 1, RollUpInterval: time.Minute, Now: func() time.Time { return time.UnixMilli(last).Add(5 * time.Minute) }})
	if err != nil {
		return raw, 0, err
	}
	err = r.Rounds(func(round []metric.Sample) error {
		points := make([]store.Point, len(round))
		for i, sample := range round {
			points[i] = store.Point{Ref: s.Ref(sample.Series), Time: sample.Time, Value: sample.Value}
		}
		got, err := s.Append(ctx, points)
		if err == nil && got.Stored != len(points) {
			err = fmt.Errorf("%d of %d samples were stored", got.Stored, len(points))
		}
		return err
	})
	if err == nil {
		err = s.RollUp(ctx)
	}
	minutes = s.Stats().MinuteBytes
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return raw, 0, err
	}
	o := tsdb.DefaultOptions()
	o.OutOfOrderTimeWindow = (24 * time.Hour).Milliseconds()
	o.SamplesPerChunk = store.SamplesPerChunk
	raw, err = compactedSize(filepath.Join(dir, "raw"), o)
	return raw, minutes, err
}

// size is what blocks take on disk: all of it, and the part that is the index.
type size struct{ all, index int64 }

// plainSize is the same in a TSDB that nobody has configured, but for how its
// chunks are encoded.
func (b *bench) plainSize(ctx context.Context, r *recording.Recording, encoding chunkenc.Encoding) (size, error) {
	dir, remove, err := b.folder()
	if err != nil {
		return size{}, err
	}
	defer remove()
	o := tsdb.DefaultOptions()
	o.FloatChunkEncoding = encoding
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		return size{}, err
	}
	names := map[*metric.Series]labels.Labels{}
	for _, s := range r.Series {
		names[s.Series] = promLabels(s.Series)
	}
	err = r.Rounds(func(round []metric.Sample) error {
		app := db.Appender(ctx)
		for _, sample := range round {
			if _, err := app.Append(storage.SeriesRef(0), names[sample.Series], sample.Time, sample.Value); err != nil {
				return err
			}
		}
		return app.Commit()
	})
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return size{}, err
	}
	return compactedSize(dir, o)
}

func promLabels(s *metric.Series) labels.Labels {
	var b labels.ScratchBuilder
	for _, l := range peer.Labels(s) {
		b.Add(l.Name, l.Value)
	}
	b.Sort()
	return b.Labels()
}

// compactedSize writes all that a TSDB holds as one block, with the TSDB's own
// compaction, and returns what the blocks take: chunks, index and the rest.
func compactedSize(dir string, o *tsdb.Options) (got size, err error) {
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		return got, err
	}
	head := db.Head()
	if err = db.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), head.MaxTime())); err == nil {
		for _, block := range db.Blocks() {
			got.all += folderSize(block.Dir())
			got.index += folderSize(filepath.Join(block.Dir(), "index"))
		}
	}
	if closed := db.Close(); err == nil {
		err = closed
	}
	return got, err
}

func folderSize(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // a file that has gone takes nothing
		}
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}
