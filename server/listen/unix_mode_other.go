//go:build !linux

package listen

import (
	"io/fs"
	"syscall"
)

// restrictSocket has nothing to do where a socket has no mode before its name.
func restrictSocket(syscall.RawConn, fs.FileMode) error { return nil }
