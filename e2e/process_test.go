package e2e_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/client"
)

// log is what a process has said.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// says reports whether one line has all these texts.
func (l *log) says(texts ...string) bool {
next:
	for line := range strings.Lines(l.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		return true
	}
	return false
}

// tail returns the last of it.
func (l *log) tail() string {
	text := l.String()
	return text[max(0, len(text)-6000):]
}

// race returns the first report of the race detector, or nothing.
func (l *log) race() string {
	text := l.String()
	at := strings.Index(text, "WARNING: DATA RACE")
	if at < 0 {
		return ""
	}
	return text[at:min(len(text), at+6000)]
}

// process is a program that this test has started, and may start again.
type process struct {
	tb   testing.TB
	path string
	args []string
	env  []string
	log  *log
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

func newProcess(tb testing.TB, name, path string, env []string, args ...string) *process {
	p := &process{tb: tb, path: path, args: args, env: env, log: &log{}}
	tb.Cleanup(func() {
		p.kill()
		if race := p.log.race(); race != "" {
			tb.Errorf("%s has a data race: %s", name, race)
		}
		if tb.Failed() {
			tb.Logf("the last words of %s:\n%s", name, p.log.tail())
		}
	})
	return p
}

func (p *process) start() {
	p.tb.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait() // how it ended is in its state
	}(p.cmd, p.done)
}

// kill ends it with signal 9, if it runs.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	p.cmd = nil
}

// stop asks it to end and returns its exit code and how long it took.
func (p *process) stop() (code int, took time.Duration) {
	p.tb.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.tb.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.tb.Fatalf("it still runs %s after SIGTERM", patience)
	}
	code = p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code, time.Since(began)
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// serverProcess is `vitals serve`, always at the same address.
type serverProcess struct {
	*process
	addr, url, dir string
}

// newServer prepares a server with its data in dir, and does not start it.
func newServer(tb testing.TB, dir string, flags ...string) *serverProcess {
	tb.Helper()
	s := &serverProcess{addr: freeAddress(tb), dir: dir}
	s.url = "http://" + s.addr
	args := append([]string{"serve", "--hostname", "hub", "--listen", s.addr, "--data-dir", dir}, flags...)
	s.process = newProcess(tb, "the server", binary, nil, args...)
	return s
}

// startServer starts a server and waits until it answers.
func startServer(tb testing.TB, flags ...string) *serverProcess {
	tb.Helper()
	s := newServer(tb, filepath.Join(tb.TempDir(), "data"), flags...)
	s.up()
	return s
}

// up starts it and waits until it answers.
func (s *serverProcess) up() {
	s.tb.Helper()
	s.start()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport, Timeout: 5 * time.Second}
	eventually(s.tb, "the server answers", func() bool {
		if !s.running() {
			s.tb.Fatalf("the server has ended by itself:\n%s", s.log.tail())
		}
		res, err := c.Get(s.url + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// client makes a client of the server that tries each call once.
func (s *serverProcess) client() *client.Client { return newClient(s.tb, s.url) }

func newClient(tb testing.TB, url string) *client.Client {
	tb.Helper()
	c, err := client.New(url, client.WithRetry(1), client.WithGzip())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// freeAddress finds a loopback address at which nobody listens.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
