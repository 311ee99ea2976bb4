package spool

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childEnv names the folder in which a child process, the same test binary, is to
// append until it is killed.
const childEnv = "VITALS_SPOOL_TEST_DIR"

// appendUntilKilled writes the position of each record to stdout after Append
// returned.
func appendUntilKilled(dir string) {
	s, err := Open(Options{Dir: dir, SegmentBytes: 16 << 10, SyncInterval: 5 * time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		pos := s.End()
		if err = s.SetPreamble(crashPreamble(pos)); err == nil {
			_, err = s.Append(time.Now().UnixMilli(), crashRecord(pos))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(pos)
	}
}

func crashPreamble(pos Position) []byte { return fmt.Appendf(nil, "preamble %d", pos/10) }

// crashRecord is different for each position, in length too.
func crashRecord(pos Position) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(pos))
	return append(b, strings.Repeat("x", int(pos*7919%3000))...)
}

// TestKill kills a process under append twenty times. After each kill every
// record whose Append returned is there, once, whole and in order.
func TestKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var next, acked Position = 1, 1
	torn := map[Position]bool{}
	for round := range 20 {
		reported := killChild(t, exe, dir, rand.IntN(300))
		s := openSpool(t, Options{Dir: dir, SegmentBytes: 16 << 10, MaxAge: 1000000 * time.Hour, Now: time.Now})
		end := s.End()
		if end <= reported {
			t.Fatalf("round %d: the child reported %d, the spool ends at %d", round, reported, end)
		}
		if end > max(reported+2, next+1) {
			t.Fatalf("round %d: the child reported %d, yet the spool ends at %d", round, reported, end)
		}
		// The kernel may have been cut short in the write of a record whose Append
		// never returned.
		damaged := checkCrash(t, s, acked, end, torn)
		if damaged > 1 || damaged == 1 && reported == end-1 {
			t.Fatalf("round %d: the child reported %d, the spool ends at %d, of which %d are damaged", round, reported, end, damaged)
		}
		if damaged == 1 {
			torn[end-1] = true
		}
		if stats := s.Stats(); stats.Damaged != damaged || stats.Dropped > 0 {
			t.Fatalf("round %d: %+v, want %d damaged", round, stats, damaged)
		}
		// The next process finds a part acknowledged.
		next, acked = end, acked+(end-acked)/2
		if err := s.Ack(0, acked); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	t.Logf("%d records through 20 kills", next-1)
}

// killChild starts a child, kills it after it has appended n records and a few
// more, and returns the last position that it reported.
func killChild(t *testing.T, exe, dir string, n int) (reported Position) {
	t.Helper()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ { // to the end: the pipe keeps what was written
		if _, err := fmt.Sscan(lines.Text(), &reported); err != nil {
			t.Fatal(err)
		}
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || reported == 0 {
		t.Fatalf("the child was not killed, or appended nothing: %v", err)
	}
	return reported
}

// checkCrash reads all from a position on, but for those that are known to be
// torn, and returns how many are missing at the end.
func checkCrash(t *testing.T, s *Spool, from, end Position, torn map[Position]bool) (damaged uint64) {
	t.Helper()
	pos := from
	for cursor := Position(0); cursor < end; {
		records, next := mustRead(t, s, cursor, 100, 0)
		for _, r := range records {
			for torn[pos] {
				pos++
			}
			if r.Position != pos || string(r.Data) != string(crashRecord(pos)) || string(r.Preamble) != string(crashPreamble(pos)) {
				t.Fatalf("record %d with %d bytes and %q is not the one at %d", r.Position, len(r.Data), r.Preamble, pos)
			}
			pos++
		}
		cursor = next
	}
	for torn[pos] {
		pos++
	}
	return uint64(end - pos)
}
