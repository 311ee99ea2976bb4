package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that ought to come soon.
const patience = 30 * time.Second

// binary is the program, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return m.Run() // each of the fuzzer's workers comes by here, and none runs the program
	}
	dir, err := os.MkdirTemp("", "vitals-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "vitals")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building vitals: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is how a run of the program ended.
type result struct {
	code           int
	stdout, stderr string
}

// vitals runs the program to its end, without this process's environment.
func vitals(t *testing.T, args ...string) result {
	t.Helper()
	return vitalsIn(t, nil, args...)
}

func vitalsIn(t *testing.T, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "TZ=UTC"}, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// process is the program while it runs.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // of stderr for a server, of stdout else; closed at the end
	ended chan struct{}

	mu  sync.Mutex
	all strings.Builder // what came in lines
}

// start runs the program until the test ends.
func start(t *testing.T, onStdout bool, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), lines: make(chan string, 1000), ended: make(chan struct{})}
	p.cmd.Env = []string{"HOME=" + t.TempDir(), "TZ=UTC"}
	pipe := p.cmd.StderrPipe
	if onStdout {
		pipe = p.cmd.StdoutPipe
	}
	out, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.mu.Lock()
			p.all.WriteString(scanner.Text() + "\n")
			p.mu.Unlock()
			select {
			case p.lines <- scanner.Text():
			default: // nobody reads; it stays in all
			}
		}
		_ = p.cmd.Wait() // how it ended is in its ProcessState
	}()
	t.Cleanup(func() {
		select {
		case <-p.ended:
		default:
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	})
	return p
}

// next waits for a line that contains text.
func (p *process) next(text string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%v ended before it wrote %q:\n%s", p.cmd.Args, text, p.text())
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			p.t.Fatalf("%v did not write %q:\n%s", p.cmd.Args, text, p.text())
		}
	}
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.String()
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// wait returns the exit code once the program has ended; -1: by a signal.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%v does not end:\n%s", p.cmd.Args, p.text())
	}
	return p.cmd.ProcessState.ExitCode()
}

// serving starts a server and returns it with the addresses that it says.
func serving(t *testing.T, args ...string) (*process, []string) {
	t.Helper()
	p := start(t, false, append([]string{"serve"}, args...)...)
	var said struct{ Page []string }
	if err := json.Unmarshal([]byte(p.next(`"msg":"serving"`)), &said); err != nil || len(said.Page) == 0 {
		t.Fatalf("%+v, %v", said, err)
	}
	for i, page := range said.Page {
		said.Page[i] = strings.TrimSuffix(page, "/")
	}
	return p, said.Page
}

// want checks how a run ended and what it said.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout, stdout) || !strings.Contains(r.stderr, stderr) {
		t.Errorf("exit %d, want %d with %q and %q\nstdout: %s\nstderr: %s", r.code, code, stdout, stderr, r.stdout, r.stderr)
	}
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
