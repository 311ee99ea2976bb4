//go:build !windows

package durable

import (
	"errors"
	"os"
	"syscall"
)

// SyncDir makes the names in a folder durable: of files that were made, renamed or
// removed. Their content is made so by Sync. A file system that has no fsync for
// folders keeps names by other means, and there it does nothing.
func SyncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the caller names the folder
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
