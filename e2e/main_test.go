// Package e2e_test holds agents and servers to the promise that nothing which a
// host measured is lost: real processes over real TCP, killed, cut off and
// starved of disk, and afterwards every sample compared, one by one, with what
// was recorded on the host.
package e2e_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait for something that ought to come soon; the machine
// may be busy with other tests.
const patience = 60 * time.Second

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	for env, child := range map[string]func(string) error{childEnv: recordUntilKilled, attackEnv: attack} {
		if text := os.Getenv(env); text != "" {
			if err := child(text); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	flag.Parse()
	if runtime.GOMAXPROCS(0) < 6 {
		// The tests wait more than they compute.
		_ = flag.Set("test.parallel", "6") // the testing package has that flag
	}
	dir, err := os.MkdirTemp("", "vitals-e2e-")
	if err == nil {
		binary = filepath.Join(dir, "vitals")
		err = build(binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// build builds the program, with the race detector where that can be had.
func build(path string) error {
	var out []byte
	var err error
	if !*plain {
		out, err = exec.Command("go", "build", "-race", "-o", path, "../cmd/vitals").CombinedOutput()
	}
	if *plain || err != nil && bytes.Contains(out, []byte("-race requires cgo")) {
		out, err = exec.Command("go", "build", "-o", path, "../cmd/vitals").CombinedOutput()
	}
	if err != nil {
		return fmt.Errorf("building the program under test: %w\n%s", err, out)
	}
	return nil
}

// eventually polls until ok, and fails the test when that takes more than
// [patience].
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %s: %s", patience, what)
		}
	}
}

var plain = flag.Bool("plain", false, "build the program without the race detector, to measure it")

// times returns how often something is done: fewer times with -short.
func times(n int) int {
	if testing.Short() {
		return max(2, n/5)
	}
	return n
}
