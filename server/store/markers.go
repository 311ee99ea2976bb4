package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// dropMarkers takes the markers out of the TSDB's log of late samples.
//
// A marker says that the late samples before it have moved to a chunk file, and
// the replay then forgets them. But the chunk file is written through a buffer
// in memory: after a kill -9 the chunk may be missing while its marker is there.
// The TSDB tells the two apart by the position in the newest chunk file, which
// holds for one crash only; after the next crash that file is a newer one, and
// acknowledged samples are lost. Without markers the replay takes every sample
// of the log; those that are in a chunk file as well are one to every reader.
//
// A log that is damaged is written anew too, without what cannot be read: the TSDB
// by itself would cut it there and drop all that follows. The damaged one is kept,
// with .damaged behind its name.
func (r *raw) dropMarkers(dir string) error {
	path := filepath.Join(dir, wlog.WblDirName)
	next, old := path+"-next", path+"-old"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	// A crash between the two renames below leaves only the old log.
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(old, path); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a new folder, or one without a late sample
			}
			return err
		}
	}
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	found, err := lookThrough(path)
	if err != nil || !found.markers && len(found.damage) == 0 {
		return err
	}
	if err := copyWithoutMarkers(path, next, r.options.Logger); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := fileutil.Rename(next, path); err != nil {
		return err
	}
	if len(found.damage) == 0 {
		return os.RemoveAll(old)
	}
	kept := path + ".damaged"
	r.repaired.Add(1)
	r.options.Logger.Error("the log of late samples is damaged: those that cannot be read are lost, the others are kept, and the damaged log is put aside",
		"error", errors.Join(found.damage...), "kept", kept)
	return errors.Join(os.RemoveAll(kept), os.Rename(old, kept))
}

// found is what there is in a log.
type found struct {
	markers bool
	damage  []error // of segments that cannot be read to their end
}

// records hands over each record of a log that can be read. What follows damage is
// not, up to the next segment.
func records(path string, each func(rec []byte) error) (damage []error, err error) {
	first, last, err := wlog.Segments(path)
	if err != nil || last < 0 {
		return nil, err
	}
	for i := first; i <= last; i++ {
		name := wlog.SegmentName(path, i)
		broken, torn, err := segmentRecords(name, each)
		if err != nil {
			return nil, err
		}
		// A torn end is what a kill leaves; that record was never acknowledged.
		if broken != nil && (i < last || !torn) {
			damage = append(damage, fmt.Errorf("%s: %w", filepath.Base(name), broken))
		}
	}
	return damage, nil
}

// segmentRecords hands over the records of one segment. broken is why it cannot be
// read to its end, and torn whether that is because its last record is not whole.
func segmentRecords(name string, each func(rec []byte) error) (broken error, torn bool, err error) {
	segment, err := wlog.OpenReadSegment(name)
	if err != nil {
		return nil, false, err
	}
	content := wlog.NewSegmentBufReader(segment)
	defer content.Close()
	r := wlog.NewReader(content)
	for r.Next() {
		if err := each(r.Record()); err != nil {
			return nil, false, err
		}
	}
	if r.Err() == nil {
		return nil, false, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, false, err
	}
	return r.Err(), r.Offset() >= info.Size(), nil
}

func lookThrough(path string) (f found, err error) {
	decoder := record.NewDecoder(nil, slog.New(slog.DiscardHandler))
	f.damage, err = records(path, func(rec []byte) error {
		f.markers = f.markers || decoder.Type(rec) == record.MmapMarkers
		return nil
	})
	return f, err
}

func copyWithoutMarkers(from, to string, logger *slog.Logger) error {
	log, err := wlog.New(logger, nil, to, compression.Snappy)
	if err != nil {
		return err
	}
	decoder := record.NewDecoder(nil, logger)
	_, err = records(from, func(rec []byte) error {
		if decoder.Type(rec) == record.MmapMarkers {
			return nil
		}
		return log.Log(rec)
	})
	return errors.Join(err, log.Close())
}
