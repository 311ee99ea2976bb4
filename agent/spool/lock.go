package spool

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// acquireLock takes the folder for this Spool. The operating system frees the
// lock when the process dies, so there is none to clear away by hand.
func acquireLock(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: cannot open the lock; correct the folder's permissions: %w", err)
	}
	if err := lockFile(f); err != nil {
		defer f.Close() // nothing was written
		if !isLocked(err) {
			return nil, fmt.Errorf("spool: cannot lock %s; choose a folder on a local disk: %w", path, err)
		}
		return nil, fmt.Errorf("spool: %w: %s belongs to %s; stop that one or give this one a folder of its own", ErrLocked, dir, holder(f))
	}
	// The process id is for people. On a full disk there may be no room for it,
	// which is no reason not to drain the queue.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// holder says who wrote the lock file.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil || convErr != nil:
		return "another process"
	case pid == os.Getpid():
		return fmt.Sprintf("this very process (pid %d)", pid)
	}
	return fmt.Sprintf("the process with pid %d", pid)
}
