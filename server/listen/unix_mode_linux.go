package listen

import (
	"io/fs"
	"syscall"
)

// restrictSocket gives a socket its mode before it has a name. Linux takes it over
// to the name.
func restrictSocket(c syscall.RawConn, mode fs.FileMode) error {
	var err error
	if controlErr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode.Perm())) }); controlErr != nil {
		return controlErr
	}
	return err
}
