// Package chromium drives Debian's Chromium without a window over the DevTools
// protocol, through a pipe: no port is opened, and nothing else is needed.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Path is where Chromium is, or an error that says how to get it.
func Path() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no chromium here: install it (apt-get install chromium)")
}

// Browser is a running Chromium with a profile of its own.
type Browser struct {
	// Version is such as "Chrome/131.0.6778.204".
	Version string

	cmd    *exec.Cmd
	pipe   *pipe
	output strings.Builder
	ended  chan struct{}
	files  []*os.File
}

// Start starts the program; dir is for its profile and is the caller's to remove.
// Call Stop when done.
func Start(ctx context.Context, program, dir string) (*Browser, error) {
	theirs, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	in, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirs.Close(), out.Close())
	}
	b := &Browser{ended: make(chan struct{}), files: []*os.File{out, in}}
	b.cmd = exec.CommandContext(ctx, program, //nolint:gosec // the operator's program
		"--headless", "--remote-debugging-pipe", "--no-sandbox", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--no-first-run", "--no-default-browser-check", "--disable-quic", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-extensions", "--hide-scrollbars", "--mute-audio", "about:blank")
	b.cmd.ExtraFiles = []*os.File{theirs, answers} // become its 3 and 4
	b.cmd.Stderr = &b.output
	// Should the measuring be killed, the browser goes too.
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	b.cmd.WaitDelay = 5 * time.Second
	err = b.cmd.Start()
	_, _ = theirs.Close(), answers.Close() // they are the browser's now
	if err != nil {
		return nil, errors.Join(err, out.Close(), in.Close())
	}
	go func() {
		_ = b.cmd.Wait() // how it ended is told by what it printed
		close(b.ended)
	}()
	b.pipe = newPipe(in, out)
	var version struct {
		Product string `json:"product"`
	}
	if err := b.pipe.call(ctx, "", "Browser.getVersion", nil, &version); err != nil {
		b.Stop()
		return nil, fmt.Errorf("%w; it printed: %s", err, b.output.String())
	}
	b.Version = version.Product
	return b, nil
}

// CPU is the processor time that those of its processes have taken that live.
func (b *Browser) CPU(ctx context.Context) (time.Duration, error) {
	var all struct {
		Processes []struct {
			Seconds float64 `json:"cpuTime"`
		} `json:"processInfo"`
	}
	if err := b.pipe.call(ctx, "", "SystemInfo.getProcessInfo", nil, &all); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, p := range all.Processes {
		sum += p.Seconds
	}
	return time.Duration(sum * float64(time.Second)), nil
}

// Stop ends the browser and waits until it is gone.
func (b *Browser) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.pipe.call(ctx, "", "Browser.close", nil, nil) // it may have ended before it answers
	select {
	case <-b.ended:
	case <-ctx.Done():
		_ = b.cmd.Process.Kill() // it does not end by itself
		<-b.ended
	}
	for _, f := range b.files {
		_ = f.Close() // nothing is left in them
	}
}
