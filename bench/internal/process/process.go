// Package process starts the programs that are measured and reads what they
// cost. Linux only.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running program.
type Process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
	err    error
}

// Start starts a program on the first so many cores, 0 meaning all.
func Start(ctx context.Context, cores int, name string, args ...string) (*Process, error) {
	var env []string
	if cores > 0 {
		args = append([]string{"-c", fmt.Sprintf("0-%d", cores-1), name}, args...)
		name = "taskset"
		env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", cores))
	}
	p := &Process{cmd: exec.CommandContext(ctx, name, args...), ended: make(chan struct{})} //nolint:gosec // the operator's programs
	p.cmd.Env = env
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 15 * time.Second
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	// Should the measuring be killed, what it started goes too.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Stop asks the process to end and waits until it has.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Kill ends the process at once, as a crash does, and waits until it has.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.ended
}

// Ready waits until the URL answers, half a minute at most.
func (p *Process) Ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode < http.StatusInternalServerError {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended (%w): %s", p.cmd.Path, p.err, p.output.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %s", p.cmd.Path, url, p.output.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// CPU is the processor time that all its threads have taken, also those that
// have ended, to the nanosecond.
func (p *Process) CPU() time.Duration { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) time.Duration {
	const cpuclockSched = 2 // the kernel's clock of a whole process: see clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil { //nolint:gosec // a pid fits
		return 0
	}
	return time.Duration(ts.Nano())
}

// Memory is what the process holds resident, in bytes: all of it, and the part
// that is its own, without the files that it maps.
func (p *Process) Memory() (resident, own int64) { return memoryOf(p.cmd.Process.Pid) }

func memoryOf(pid int) (resident, own int64) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			resident = kb << 10
		case "RssAnon":
			own = kb << 10
		}
	}
	return resident, own
}

// Yield lets all other processes go first, for good.
func (p *Process) Yield() error { return Yield(p.cmd.Process.Pid) }

// Yield lets all other processes go before one, for good: it gets what they leave
// of the processors.
func Yield(pid int) error {
	const last = 19 // the lowest of priorities
	dir := filepath.Join("/proc", strconv.Itoa(pid), "task")
	for range 2 { // a thread may have started another meanwhile; later ones are as those that start them
		tasks, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.Setpriority(unix.PRIO_PROCESS, id, last); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// KeepOff keeps the measuring itself off the first so many cores, if it can: a
// load generator must not take the time of what it measures. Undo lets it run
// anywhere again.
func KeepOff(cores, of int) (undo func()) {
	set := func(from int) {
		var cpus unix.CPUSet
		for i := from; i < of; i++ {
			cpus.Set(i)
		}
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, t := range tasks {
			if id, err := strconv.Atoi(t.Name()); err == nil {
				_ = unix.SchedSetaffinity(id, &cpus) // a thread may have ended
			}
		}
	}
	if cores >= of {
		return func() {}
	}
	set(cores)
	return func() { set(0) }
}

// FreeAddress is a loopback address on which nobody listens.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }() // the port is what was wanted
	return l.Addr().String(), nil
}
