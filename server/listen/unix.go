package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// unixScheme before a path listens on a unix socket.
const unixScheme = "unix:"

// DefaultSocketMode lets only the user that the server runs as call by a unix
// socket.
const DefaultSocketMode fs.FileMode = 0o600

// answerWait is how long whoever has a socket open may take to accept a call.
const answerWait = 5 * time.Second

// bindUnix listens on a unix socket, in place of one that nobody answers on any
// more. The mode says who may call.
func bindUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("listen address unix: names no path, such as unix:/run/vitals.sock")
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	// The mode is set before the socket has a name, and again after, for the
	// process's mask takes from it then.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return restrictSocket(c, mode) }}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, explainUnix(path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close() // nothing was served on it
		return nil, fmt.Errorf("the mode of unix:%s: %w", path, err)
	}
	return l, nil
}

// removeStale removes a socket that nobody answers on, as after a kill.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unix:%s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("unix:%s: there is a file of that name that is no socket; choose another path with --listen, or remove it", path)
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("unix:%s is taken by another program that answers there (is another vitals running?); choose another path with --listen: %w", path, syscall.EADDRINUSE)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("unix:%s exists, and whether somebody answers there cannot be told; remove it if nobody does: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("unix:%s is left over from a server that is gone, and cannot be removed: %w", path, err)
	}
	return nil
}

// longestUnix is the longest path of a socket on every system that we run on.
const longestUnix = 103

func explainUnix(path string, err error) error {
	switch {
	case len(path) > longestUnix:
		return fmt.Errorf("unix:%s: the path of a socket has %d bytes at most: %w", path, longestUnix, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("unix:%s: its folder does not exist; make it first: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("unix:%s: this user may not write to its folder: %w", path, err)
	default:
		return fmt.Errorf("cannot listen on unix:%s: %w", path, err)
	}
}
