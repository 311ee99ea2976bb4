package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// pieceSize is how long the mappings of the program are once it was trimmed. Where
// one page is needed the kernel maps those around it too, 64 KB that begin at a
// multiple of that, but none beyond the mapping. Of what a trimmed agent needs two
// thirds are single pages far from each other: the tables by which its stacks are
// unwound.
const pieceSize = 32 << 10

// trimProgram takes the pages of the program's own file out of this process'
// memory that are in it because start-up ran through them once: the set-up of
// everything that the binary can do besides. What is needed again is mapped
// again from the kernel's page cache, with no read from the disk, and little
// beside it.
//
// Only mappings that nothing has ever been written to are touched, for those
// alone the file can give again as they were.
func trimProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	unwritten, err := unwrittenMappings(program)
	if err != nil {
		return err
	}
	for _, m := range unwritten {
		if err := m.cut(); err != nil {
			return err
		}
		if err := m.advise(unix.MADV_DONTNEED); err != nil {
			return err
		}
	}
	return nil
}

// unwrittenMappings are those of a file that nothing has ever been written to.
func unwrittenMappings(path string) (found []memoryRange, err error) {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	defer func() { _ = smaps.Close() }() // only read
	var current memoryRange
	ours := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if m, permissions, ok := mappingHeader(line); ok {
			current = m
			ours = strings.HasSuffix(line, " "+path) && (permissions == "r-xp" || permissions == "r--p")
		} else if fields := strings.Fields(line); ours && len(fields) > 1 && fields[0] == "Anonymous:" && fields[1] == "0" {
			found = append(found, current)
		}
	}
	return found, lines.Err()
}

// memoryRange is a stretch of addresses in whole pages.
type memoryRange struct{ start, end uintptr }

// cut makes pieces of a mapping. Every other one is told apart by being left out of
// core dumps, where pages of a file are not in any case; it has no further effect.
func (m memoryRange) cut() error {
	const two = 2 * pieceSize
	for at := (m.start + two - 1) / two * two; at < m.end; at += two {
		if err := (memoryRange{at, min(at+pieceSize, m.end)}).advise(unix.MADV_DONTDUMP); err != nil {
			return err
		}
	}
	return nil
}

// advise tells the kernel what a range is for.
func (m memoryRange) advise(advice uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, advice); errno != 0 {
		return fmt.Errorf("madvise: %w", errno)
	}
	return nil
}

// mappingHeader parses the line that begins a mapping in smaps, such as
// "00400000-01387000 r-xp 00000000 fe:00 1093 /usr/local/bin/vitals".
func mappingHeader(line string) (m memoryRange, permissions string, ok bool) {
	if line == "" || line[0] >= 'A' && line[0] <= 'Z' { // a field of the mapping, as nine lines of ten are
		return m, "", false
	}
	n, _ := fmt.Sscanf(line, "%x-%x %s", &m.start, &m.end, &permissions) // n tells of an error
	return m, permissions, n == 3
}
