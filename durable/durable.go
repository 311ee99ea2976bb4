// Package durable writes files that outlive a crash of the program, and on a disk
// that honours fsync one of the machine.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces a file, or makes it, so that a crash at any time leaves the
// old one or the new one, whole. Once it has returned nil, it is the new one. When
// it fails before the new one has its name, the old one stays.
//
// The new one is written beside it, to path + ".tmp": one name for all, so that a
// kill leaves no more than one behind, which the next write replaces. Two must not
// write the same file at once.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm) //nolint:gosec // the caller names the file
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return SyncDir(filepath.Dir(path))
}
