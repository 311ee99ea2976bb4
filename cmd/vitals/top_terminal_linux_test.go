package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tmux is a terminal of 80 by 24 that a test can look at, kept by a tmux of its
// own.
type tmux struct {
	t      *testing.T
	socket string
}

// startInTmux runs a shell command in a terminal until the test ends. How it
// ended stays on the screen.
func startInTmux(t *testing.T, command string) *tmux {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not here, which shows what a terminal shows: apt-get install tmux")
	}
	m := &tmux{t, filepath.Join(t.TempDir(), "tmux")}
	m.do("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command+"; echo exit code $?; cat")
	t.Cleanup(func() { m.do("kill-server") })
	return m
}

func (m *tmux) do(args ...string) string {
	m.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", m.socket}, args...)...)
	cmd.Env = []string{"HOME=" + filepath.Dir(m.socket), "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TERM=xterm-256color", "TZ=UTC"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (m *tmux) press(keys ...string) {
	m.t.Helper()
	for _, key := range keys {
		m.do("send-keys", key)
		if key == "Escape" {
			// Escape and what follows at once are read as one key, as on any
			// terminal; a person is slower.
			time.Sleep(500 * time.Millisecond)
		}
	}
}

func (m *tmux) screen() string { m.t.Helper(); return m.do("capture-pane", "-p") }

// until waits for a screen that has the texts, and not those that begin with !.
func (m *tmux) until(texts ...string) {
	m.t.Helper()
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		last = m.screen()
		ok := true
		for _, text := range texts {
			unwanted, not := strings.CutPrefix(text, "!")
			ok = ok && strings.Contains(last, unwanted) != not
		}
		if ok {
			return
		}
	}
	m.t.Fatalf("the terminal does not come to show %q:\n%s", texts, last)
}

// The whole of it: a real server, an agent, a terminal and someone at the keys.
func TestTopInATerminal(t *testing.T) {
	dir := t.TempDir()
	srv, pages := serving(t, "--listen", "127.0.0.1:0", "--hostname", "server01", "--data-dir", dir)
	start(t, false, "agent", "--server", pages[0], "--hostname", "web-1", "--tag", "env=prod", "--spool-dir", t.TempDir())
	m := startInTmux(t, binary+" top --server "+pages[0])
	m.until("live", "server01", "web-1", "2 hosts, 2 up", "%", "B/s")

	m.press("/", "p", "r", "o")
	m.until("/pro", "web-1", "!server01 up")
	m.press("Escape")
	m.until("server01", "web-1")
	m.press("c")
	m.until("CPU▼")
	m.press("h")
	m.until("HOST▲")
	m.press("Down", "Enter")
	m.until("web-1  up", "Memory", "iowait", "available", "!server01")
	m.press("Escape")
	m.until("HOST▲", "server01", "web-1")
	m.do("resize-window", "-x", "130", "-y", "40")
	m.until("TAGS", "env=prod")

	// The server goes and comes back.
	srv.signal(syscall.SIGTERM)
	srv.wait()
	m.until("reconnecting since", "? ")
	serving(t, "--listen", strings.TrimPrefix(pages[0], "http://"), "--hostname", "server01", "--data-dir", dir)
	m.until("live", "2 hosts, 2 up")

	m.press("q")
	m.until("exit code 0", "!live")
}

func TestTopEndsOrderly(t *testing.T) {
	_, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0")...)
	m := startInTmux(t, binary+" top --host server01 --server "+pages[0])
	m.until("server01  up", "Memory")
	m.press("C-c")
	m.until("exit code 0", "!Memory")

	// A signal from elsewhere leaves the terminal as it was, too.
	pidFile := filepath.Join(t.TempDir(), "pid")
	m = startInTmux(t, fmt.Sprintf("sh -c 'echo $$ >%s; exec %s top --server %s'", pidFile, binary, pages[0]))
	m.until("live", "server01")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGTERM)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.until("exit code 0", "!live")
}

func TestTopKeepsNoColor(t *testing.T) {
	_, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0")...)
	f := func(env string, want bool) {
		t.Helper()
		m := startInTmux(t, env+binary+" top --server "+pages[0])
		m.until("live", "1 up")
		if got := m.do("capture-pane", "-p", "-e"); strings.Contains(got, "\x1b[32m") != want {
			t.Errorf("%q: green is there is not %v: %q", env, want, got)
		}
	}
	f("", true)
	f("NO_COLOR=1 ", false)
	f("NO_COLOR=yes ", false)
}

// Where nothing can be drawn, it says so and what to use.
func TestTopWithoutATerminal(t *testing.T) {
	vitals(t, "top").want(t, 2, "", "top draws on a terminal")
	vitals(t, "top").want(t, 2, "", "vitals watch")
	vitals(t, "top", "--protocol", "soap").want(t, 2, "", `"soap" is none of`)
	vitals(t, "top", "--interval", "-1s").want(t, 2, "", "not between")
	for _, term := range []string{"dumb", ""} {
		m := startInTmux(t, fmt.Sprintf("TERM=%s %s top", term, binary))
		m.until("exit code 2", "vitals watch", fmt.Sprintf("TERM is %q", term))
	}
}
