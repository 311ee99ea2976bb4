package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// trimProgram takes the pages of the program's own file out of this process'
// memory that are in it because start-up ran through them once: the set-up of
// everything that the binary can do besides. What is needed again is mapped
// again from the kernel's page cache, with no read from the disk.
//
// Only mappings that nothing has ever been written to are touched, for those
// alone the file can give again as they were.
func trimProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer func() { _ = smaps.Close() }() // only read
	var unwritten []memoryRange
	var current memoryRange
	ours := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if found, permissions, ok := mappingHeader(line); ok {
			current = found
			ours = strings.HasSuffix(line, " "+program) && (permissions == "r-xp" || permissions == "r--p")
		} else if fields := strings.Fields(line); ours && len(fields) > 1 && fields[0] == "Anonymous:" && fields[1] == "0" {
			unwritten = append(unwritten, current)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, m := range unwritten {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

type memoryRange struct{ start, end uintptr }

// mappingHeader parses the line that begins a mapping in smaps, such as
// "00400000-01387000 r-xp 00000000 fe:00 1093 /usr/local/bin/vitals".
func mappingHeader(line string) (m memoryRange, permissions string, ok bool) {
	n, _ := fmt.Sscanf(line, "%x-%x %s", &m.start, &m.end, &permissions) // n tells of an error
	return m, permissions, n == 3
}
