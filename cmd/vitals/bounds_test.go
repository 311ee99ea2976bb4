package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Values with which a program would run and be of no use are refused, with what to
// give instead, before anything is opened.
func TestFlagsOfNoUse(t *testing.T) {
	here := func(args ...string) result { // without a process for each
		var talk bytes.Buffer
		root := newRoot()
		root.SetErr(&talk)
		return result{code: run(t.Context(), root, args), stderr: talk.String()}
	}
	f := func(command, flag, want string) {
		t.Helper()
		name, value, _ := strings.Cut(flag, "=")
		got := here(command, flag)
		got.want(t, 2, "", name+" is "+value)
		got.want(t, 2, "", want)
	}
	for _, flag := range []string{"--max-hosts", "--max-series-per-host", "--max-streams"} {
		f("serve", flag+"=-1", "give at least 1")
		f("serve", flag+"=0", "give at least 1")
	}
	f("serve", "--max-sample-rate=-1", "at least 100")
	f("serve", "--max-sample-rate=1", "one round of a host")
	f("serve", "--max-message-bytes=0", "at least 16384")
	f("serve", "--max-message-bytes=100", "at least 16384")
	for _, flag := range []string{"--max-connections-per-address", "--max-calls-per-second", "--max-streams-per-caller", "--max-calls-at-work", "--max-calls-at-work-per-caller"} {
		f("serve", flag+"=0", "1 or more, or -1 for any number")
		f("serve", flag+"=-2", "1 or more, or -1 for any number")
	}
	f("serve", "--max-connections=-2", "-1 for any number")
	f("serve", "--max-bytes-per-second=1", "at least 16384, or -1")
	f("serve", "--max-memory=-1", "or 0 for no bound")
	f("serve", "--max-memory=1000", "or 0 for no bound")
	f("serve", "--max-stream-age=1ms", "at least 1s")
	for _, flag := range []string{"--idle-timeout", "--read-timeout", "--send-timeout"} {
		f("serve", flag+"=-1s", "at least 1s")
		f("serve", flag+"=1ms", "at least 1s")
	}
	f("serve", "--shutdown-timeout=0s", "such as 1ms")
	f("serve", "--max-connection-age=-1s", "0 for no limit")
	f("serve", "--heartbeat=0s", "more than 0")
	f("serve", "--out-of-order-window=1s", "at least 1m")
	f("serve", "--retention=1h", "at least 2h")
	f("serve", "--retention-size=10", "at least 10MB")
	f("serve", "--retention-minute=30m", "at least 1d1h, an hour more than --out-of-order-window")
	f("serve", "--retention-hour=1d", "at least 1d1h")
	f("agent", "--interval=-1s", "at least 100ms")
	f("agent", "--interval=10ms", "at least 100ms")
	f("agent", "--spool-size=1", "at least 1MB")
	f("agent", "--spool-size=0", "at least 1MB")
	f("agent", "--spool-age=1s", "at least 2m")

	// All that is wrong is said at once.
	here("serve", "--max-hosts", "0", "--max-streams", "0").want(t, 2, "", "--max-hosts is 0: give at least 1\n--max-streams is 0")
	// What is next to the bounds passes: what is wrong then is the folder.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here("serve", "--data-dir", file, "--max-calls-per-second=-1", "--max-connections=-1", "--max-bytes-per-second=-1", "--max-hosts=1", "--retention=2h",
		"--retention-minute=2h", "--retention-hour=2h", "--out-of-order-window=1h", "--retention-size=10MB").want(t, 1, "", "is a file")
	here("agent", "--spool-dir", file, "--interval=100ms", "--spool-size=1MB", "--spool-age=2m").want(t, 1, "", "spool")
}
