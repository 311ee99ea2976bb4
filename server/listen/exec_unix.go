//go:build unix

package listen

import "syscall"

// closeOnExec keeps a file from programs that this one may start.
func closeOnExec(fd int) { syscall.CloseOnExec(fd) }
