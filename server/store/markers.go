package store

import (
	"errors"
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
func dropMarkers(dir string, logger *slog.Logger) error {
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
	found, err := hasMarkers(path)
	if err != nil || !found {
		return err
	}
	if err := copyWithoutMarkers(path, next, logger); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := fileutil.Rename(next, path); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// records hands over each whole record of a log, up to the first that is torn.
func records(path string, each func(rec []byte) error) error {
	segments, err := wlog.NewSegmentsReader(path)
	if err != nil {
		return err
	}
	defer segments.Close()
	r := wlog.NewReader(segments)
	for r.Next() {
		if err := each(r.Record()); err != nil {
			return err
		}
	}
	// A torn end is what a kill leaves; that record was never acknowledged.
	return nil
}

var errFound = errors.New("found")

func hasMarkers(path string) (bool, error) {
	decoder := record.NewDecoder(nil, slog.New(slog.DiscardHandler))
	err := records(path, func(rec []byte) error {
		if decoder.Type(rec) == record.MmapMarkers {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

func copyWithoutMarkers(from, to string, logger *slog.Logger) error {
	log, err := wlog.New(logger, nil, to, compression.Snappy)
	if err != nil {
		return err
	}
	decoder := record.NewDecoder(nil, logger)
	err = records(from, func(rec []byte) error {
		if decoder.Type(rec) == record.MmapMarkers {
			return nil
		}
		return log.Log(rec)
	})
	return errors.Join(err, log.Close())
}
