package collect

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

// processScanner reads /proc/PID/stat of all processes, which is the cheapest
// file that says all that is needed.
type processScanner struct {
	folder  string
	page    uint64
	entries []byte // of the folder
	path    []byte
	text    []byte
	proc    *os.File
}

func newProcessScanner(sys system) *processScanner {
	return &processScanner{
		folder:  sys.proc,
		page:    uint64(os.Getpagesize()),
		entries: make([]byte, 8192),
		text:    make([]byte, 1024),
	}
}

func (p *processScanner) scan(ctx context.Context, visit func(processReading)) error {
	if p.proc == nil {
		proc, err := os.Open(p.folder)
		if err != nil {
			return err
		}
		p.proc = proc
	}
	fd := int(p.proc.Fd())
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return err
	}
	for ctx.Err() == nil {
		n, err := unix.Getdents(fd, p.entries)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", p.folder, err)
		}
		if n == 0 {
			return nil
		}
		p.scanEntries(fd, p.entries[:n], visit)
	}
	return ctx.Err()
}

// scanEntries goes through what getdents64 gave: records of an inode (8
// bytes), an offset (8), the record's length (2), a type (1) and a name that
// ends in a zero. Reading them here spares a string for each name.
func (p *processScanner) scanEntries(fd int, entries []byte, visit func(processReading)) {
	for len(entries) >= 19 {
		length := int(binary.NativeEndian.Uint16(entries[16:]))
		if length < 19 || length > len(entries) {
			return
		}
		name, _, _ := bytes.Cut(entries[19:length], []byte{0})
		entries = entries[length:]
		if pid, ok := parsePID(name); ok {
			p.read(fd, pid, name, visit)
		}
	}
}

func parsePID(name []byte) (int, bool) {
	if len(name) == 0 || len(name) > 9 {
		return 0, false
	}
	pid := 0
	for _, c := range name {
		if c < '0' || c > '9' {
			return 0, false
		}
		pid = pid*10 + int(c-'0')
	}
	return pid, true
}

// read reads one process. One that has ended meanwhile is passed over.
func (p *processScanner) read(proc, pid int, name []byte, visit func(processReading)) {
	p.path = append(append(p.path[:0], name...), "/stat"...)
	fd, err := unix.Openat(proc, string(p.path), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	n, err := unix.Read(fd, p.text)
	_ = unix.Close(fd) // only read from
	if err != nil || n <= 0 {
		return
	}
	stat, err := procfs.ParsePIDStat(p.text[:n])
	if err != nil {
		return
	}
	visit(processReading{
		pid:      pid,
		name:     commonName(stat),
		start:    stat.Start,
		spent:    time.Duration(stat.Ticks) * (time.Second / procfs.UserHZ),
		resident: stat.ResidentPages * p.page,
	})
}

// commonName is the name that a process shares with its like. The kernel's own
// threads have their core or their work after a slash (kworker/0:1-events),
// which would make them as many names as threads.
func commonName(stat procfs.PIDStat) []byte {
	if !stat.Kernel {
		return stat.Name
	}
	name, _, _ := bytes.Cut(stat.Name, []byte{'/'})
	return name
}
