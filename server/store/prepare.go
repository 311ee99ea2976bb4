package store

import (
	"errors"
	"fmt"
	"os"
)

// Prepare makes a data folder and proves that it can be written and has room for so
// many bytes more. Its errors say what the operator can do. Call it before anything
// else is opened in the folder; [Open] does the same for its own part.
func Prepare(dir string, room int) error {
	if err := prepareDir(dir); err != nil || room == 0 {
		return err
	}
	probe, err := os.CreateTemp(dir, "probe-*.tmp")
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written: %w", dir, plain(err))
	}
	_, err = probe.Write(make([]byte, room))
	err = errors.Join(err, probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be written: %w", dir, plain(err))
	}
	return nil
}

// CheckFree is Prepare, and returns a [*LockedError] while another process has the
// folder open. It is no promise: the folder is taken by [Open].
func CheckFree(dir string) error {
	if err := prepareDir(dir); err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	return lock.Release()
}
