package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/simulate"
)

const (
	// fleetWord is the first argument of a process that is to be a fleet; the second
	// says what fleet.
	fleetWord = "be-fleet"
	// tellEvery is how often such a process says how far it is.
	tellEvery = 100 * time.Millisecond
)

// told is what it says.
type told struct {
	Sent         uint64
	Filled, Late int64
}

// beFleet is all that a process does which was started as a fleet; false in any
// other.
func beFleet(out io.Writer) bool {
	if len(os.Args) != 3 || os.Args[1] != fleetWord {
		return false
	}
	o := simulate.Options{}
	if err := json.Unmarshal([]byte(os.Args[2]), &o); err != nil {
		fmt.Fprintln(os.Stderr, "page: no fleet:", err)
		os.Exit(2)
	}
	o.Counts = &simulate.Counts{}
	go func() {
		for tell := json.NewEncoder(out); ; time.Sleep(tellEvery) {
			if tell.Encode(told{Sent: o.Counts.Sent.Load(), Filled: o.Counts.HostsFilled.Load(), Late: o.Counts.Late.Load()}) != nil {
				return // nobody listens
			}
		}
	}()
	if _, err := simulate.Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// startFleet simulates a fleet in a process of its own, so that it can be asked to
// yield while what measures does not; it ends with ctx. Its counts are kept up to
// date as far as it tells them.
func startFleet(ctx context.Context, o simulate.Options) (pid int, ended chan error, err error) {
	counts := o.Counts
	o.Counts = nil
	text, err := json.Marshal(o)
	if err != nil {
		return 0, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	var output strings.Builder
	cmd := exec.CommandContext(ctx, self, fleetWord, string(text)) //nolint:gosec // this program
	cmd.Stderr = &output
	// Should the measuring be killed, the fleet goes too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	ended = make(chan error, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var t told
			if json.Unmarshal(lines.Bytes(), &t) == nil {
				counts.HostsFilled.Store(t.Filled)
				counts.Sent.Store(t.Sent)
				// The latest since it was asked last.
				counts.Late.Store(max(counts.Late.Load(), t.Late))
			}
		}
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(output.String()))
		}
		ended <- err
	}()
	return cmd.Process.Pid, ended, nil
}
