package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// prepareDir makes the data folder and proves that it can be written, so that
// the operator hears of a wrong path or a read-only disk in plain words.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			return fmt.Errorf("the data folder %s is a file; choose another path", dir)
		}
		return fmt.Errorf("the data folder %s cannot be made: %w", dir, plain(err))
	}
	probe, err := os.CreateTemp(dir, "probe-*.tmp")
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written: %w", dir, plain(err))
	}
	name := probe.Name()
	return errors.Join(probe.Close(), os.Remove(name))
}

// plain says what to do about the errors of a disk that people meet.
func plain(err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the disk is mounted read-only; mount it read-write or choose another folder: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not write there; change the folder's owner or choose another: %w", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("a folder above it is a file; choose another path: %w", err)
	case isFull(err):
		return fmt.Errorf("%w; make room: %w", ErrFull, err)
	}
	return err
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// lockDir takes the folder for this process until the release is called. The
// kernel drops the lock when the process dies, however it dies.
func lockDir(dir string) (fileutil.Releaser, error) {
	path := filepath.Join(dir, "lock")
	release, _, err := fileutil.Flock(path)
	if err != nil {
		if isFull(err) || errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
			return nil, plain(err)
		}
		locked := &LockedError{Dir: dir}
		if text, readErr := os.ReadFile(filepath.Join(dir, "holder.json")); readErr == nil {
			// A holder that cannot be read is still a holder.
			_ = json.Unmarshal(text, &locked.Holder)
		}
		return nil, locked
	}
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second)})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "holder.json"), text, 0o600)
	}
	// On a full disk the store still opens, for reading; only the name of its
	// holder is then missing.
	if err != nil && !isFull(err) {
		return nil, errors.Join(plain(err), release.Release())
	}
	return release, nil
}
