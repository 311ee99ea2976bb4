package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a program that runs on a pseudo-terminal of 80 columns.
type screen struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	ended  chan struct{}

	mu   sync.Mutex
	seen strings.Builder
}

// startOnTerminal runs the program on a terminal until the test ends.
func startOnTerminal(t *testing.T, args ...string) *screen {
	t.Helper()
	master, terminal := openTerminal(t)
	s := &screen{t: t, cmd: exec.Command(binary, args...), master: master, ended: make(chan struct{})}
	s.cmd.Env = []string{"HOME=" + t.TempDir(), "TZ=UTC", "TERM=xterm"}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = terminal, terminal, terminal
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close() // the program has it
	go func() {
		defer close(s.ended)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.seen.Write(buf[:n])
			s.mu.Unlock()
			if err != nil { // EIO: the program has closed its side
				break
			}
		}
		_ = s.cmd.Wait() // how it ended is in its ProcessState
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // an error means that it has ended
		<-s.ended
		_ = master.Close()
	})
	return s
}

func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, terminal
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

func (s *screen) until(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(s.text(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the terminal does not show %q: %q", text, s.text())
		}
	}
}

func (s *screen) wait() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("%v does not end: %q", s.cmd.Args, s.text())
	}
	return s.cmd.ProcessState.ExitCode()
}

// What serve prints for a person, and that the line to paste works.
func TestServeOnTerminal(t *testing.T) {
	screen := startOnTerminal(t, append([]string{"serve"}, serveFlags(t, "--listen", "localhost:0")...)...)
	screen.until("try   curl ")
	screen.until("/GetMetric")
	text := screen.text()
	if !strings.Contains(text, "measures server01") || !strings.Contains(text, "page  http://localhost:") {
		t.Errorf("%q", text)
	}
}

func TestWatchOnTerminal(t *testing.T) {
	_, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0")...)
	eventually(t, "the first sample", func() bool { return vitals(t, "get", "--server", pages[0]).code == 0 })
	screen := startOnTerminal(t, "watch", "--server", pages[0])
	screen.until("\rserver01 cpu ")
	screen.until("\x1b[K\rserver01 cpu ") // drawn over itself
	screen.until(" percent\x1b[K")
	if !strings.ContainsAny(screen.text(), "▁▂▃▄▅▆▇█") {
		t.Errorf("no sparkline in %q", screen.text())
	}
	if _, err := io.WriteString(screen.master, "\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if code := screen.wait(); code != 0 {
		t.Errorf("exit %d after Ctrl-C", code)
	}
}
