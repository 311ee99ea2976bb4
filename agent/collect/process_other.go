//go:build !linux

package collect

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// processScanner lists all processes. It keeps them from scan to scan, as
// gopsutil remembers a process's name and start.
type processScanner struct {
	known map[int32]*process.Process
}

func newProcessScanner(system) *processScanner { return &processScanner{} }

func (p *processScanner) scan(ctx context.Context, visit func(processReading)) error {
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return orUnsupported(err)
	}
	seen := make(map[int32]*process.Process, len(pids))
	for _, pid := range pids {
		proc := p.known[pid]
		if proc == nil {
			proc = &process.Process{Pid: pid}
		}
		if running, err := proc.IsRunningWithContext(ctx); err != nil || !running {
			proc = &process.Process{Pid: pid} // another one with that pid
		}
		seen[pid] = proc
		read(ctx, proc, visit)
	}
	p.known = seen
	return ctx.Err()
}

// read reads one process. One that has ended, or that this user may not look
// at, counts as a process all the same.
func read(ctx context.Context, proc *process.Process, visit func(processReading)) {
	reading := processReading{pid: int(proc.Pid)}
	if name, err := proc.NameWithContext(ctx); err == nil {
		reading.name = []byte(name)
	}
	if start, err := proc.CreateTimeWithContext(ctx); err == nil {
		reading.start = uint64(max(0, start))
	}
	if times, err := proc.TimesWithContext(ctx); err == nil {
		reading.spent = time.Duration((times.User + times.System) * float64(time.Second))
	}
	if memory, err := proc.MemoryInfoWithContext(ctx); err == nil {
		reading.resident = memory.RSS
	}
	visit(reading)
}
