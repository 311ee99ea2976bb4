package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		appendUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// testLog sends the spool's log into the test.
func testLog(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

func openSpool(tb testing.TB, opts Options) *Spool {
	tb.Helper()
	if opts.Logger == nil {
		opts.Logger = testLog(tb)
	}
	if opts.Now == nil {
		opts.Now = func() time.Time { return time.UnixMilli(0) }
	}
	s, err := Open(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(tb testing.TB, s *Spool, data string) Position {
	tb.Helper()
	pos, err := s.Append(1000, []byte(data))
	if err != nil {
		tb.Fatal(err)
	}
	return pos
}

func mustRead(tb testing.TB, s *Spool, from Position, maxRecords, maxBytes int) ([]Record, Position) {
	tb.Helper()
	records, next, err := s.Read(from, maxRecords, maxBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return records, next
}

// abandon leaves a spool as the death of its process does: nothing is saved or
// forced to the disk, only the lock goes.
func abandon(s *Spool) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.stopSync)
	<-s.syncDone
	s.closeFiles()
}

// text writes records as "position:data" or "position:preamble/data".
func text(records []Record) string {
	var out []string
	for _, r := range records {
		data := string(r.Data)
		if r.Preamble != nil {
			data = string(r.Preamble) + "/" + data
		}
		out = append(out, fmt.Sprintf("%d:%s", r.Position, data))
	}
	return strings.Join(out, " ")
}

func TestRead(t *testing.T) {
	s := openSpool(t, Options{Dir: t.TempDir(), SegmentBytes: 120}) // two small records a segment
	for _, data := range []string{"a", "bb", "ccc", "", "eeeee"} {
		mustAppend(t, s, data)
	}
	f := func(from Position, maxRecords, maxBytes int, want string, wantNext Position) {
		t.Helper()
		records, next := mustRead(t, s, from, maxRecords, maxBytes)
		if text(records) != want || next != wantNext {
			t.Errorf("Read(%d, %d, %d) = %q, %d; want %q, %d", from, maxRecords, maxBytes, text(records), next, want, wantNext)
		}
	}
	f(0, 0, 0, "1:a 2:bb 3:ccc 4: 5:eeeee", 6)
	f(0, 2, 0, "1:a 2:bb", 3)
	f(3, 2, 0, "3:ccc 4:", 5)
	f(0, 0, 4, "1:a 2:bb", 3)
	f(0, 0, 6, "1:a 2:bb 3:ccc", 4)
	f(5, 0, 1, "5:eeeee", 6) // one record at least
	f(4, 0, 4, "4:", 5)
	f(6, 0, 0, "", 6)
	f(99, 0, 0, "", 6)
	if s.End() != 6 {
		t.Errorf("End() = %d, want 6", s.End())
	}
	records, _ := mustRead(t, s, 0, 1, 0)
	if records[0].Time != 1000 {
		t.Errorf("time %d, want 1000", records[0].Time)
	}
}

func TestPreamble(t *testing.T) {
	opts := Options{Dir: t.TempDir(), SegmentBytes: 300}
	s := openSpool(t, opts)
	set := func(p string) {
		t.Helper()
		if err := s.SetPreamble([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, "1")
	set("P")
	for range 5 { // into further segments
		mustAppend(t, s, "x")
	}
	set("Q")
	set("R") // Q is never needed
	mustAppend(t, s, "y")
	set("")
	mustAppend(t, s, "z")
	s.Close()
	s = openSpool(t, opts)
	mustAppend(t, s, "none") // an opened spool has the empty preamble
	set("R")
	mustAppend(t, s, "r")
	const want = "1:1 2:P/x 3:P/x 4:P/x 5:P/x 6:P/x 7:R/y 8:z 9:none 10:R/r"
	records, _ := mustRead(t, s, 0, 0, 0)
	if text(records) != want {
		t.Errorf("got  %q\nwant %q", text(records), want)
	}
	for from, part := range strings.Split(want, " ") { // from the middle of a segment
		records, _ := mustRead(t, s, Position(from+1), 1, 0)
		if text(records) != part {
			t.Errorf("Read(%d) = %q, want %q", from+1, text(records), part)
		}
	}
	if &records[2].Preamble[0] != &records[1].Preamble[0] {
		t.Error("neighbours do not share their preamble")
	}
}

func TestAckInAnyOrder(t *testing.T) {
	opts := Options{Dir: t.TempDir(), SegmentBytes: 120}
	s := openSpool(t, opts)
	for range 8 { // segments 1-2, 3-4, 5-6, 7-8
		mustAppend(t, s, "x")
	}
	f := func(from, to Position, want string, segments int) {
		t.Helper()
		if err := s.Ack(from, to); err != nil {
			t.Fatal(err)
		}
		for _, reopened := range []string{"", " after a restart"} {
			records, _ := mustRead(t, s, 0, 0, 0)
			var got []string
			for _, r := range records {
				got = append(got, fmt.Sprint(r.Position))
			}
			stats := s.Stats()
			if strings.Join(got, " ") != want || stats.Records != uint64(len(got)) || stats.Segments != segments {
				t.Errorf("Ack(%d, %d)%s leaves %v and %+v; want %s in %d segments", from, to, reopened, got, stats, want, segments)
			}
			if files := segmentFiles(t, opts.Dir); len(files) != segments {
				t.Errorf("Ack(%d, %d)%s leaves the files %v", from, to, reopened, files)
			}
			s.Close()
			s = openSpool(t, opts)
		}
	}
	f(6, 7, "1 2 3 4 5 7 8", 4)
	f(2, 4, "1 4 5 7 8", 4)
	f(4, 4, "1 4 5 7 8", 4)
	f(3, 6, "1 7 8", 2) // 3-4 and 5-6 go before 1-2
	f(0, 2, "7 8", 1)
	f(1, 9, "", 1) // the active one stays
	if got := mustAppend(t, s, "x"); got != 9 {
		t.Errorf("position %d after a restart, want 9", got)
	}
	for _, r := range []span{{1, 11}, {5, 4}} {
		if err := s.Ack(r.from, r.to); !errors.Is(err, ErrRange) {
			t.Errorf("Ack(%d, %d) = %v, want ErrRange", r.from, r.to, err)
		}
	}
	if got := s.Stats(); got.Records != 1 || !got.Oldest.Equal(time.UnixMilli(1000)) {
		t.Errorf("%+v, want the last record alone, from second 1", got)
	}
}

// TestManyAckedRanges has more ranges than the file of acknowledgements takes.
func TestManyAckedRanges(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := openSpool(t, opts)
	for range 1000 {
		mustAppend(t, s, "x")
	}
	for pos := Position(2); pos < 1000; pos += 2 {
		if err := s.Ack(pos, pos+1); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = openSpool(t, opts)
	records, _ := mustRead(t, s, 0, 0, 0)
	seen := map[Position]bool{}
	for _, r := range records {
		seen[r.Position] = true
	}
	for pos := Position(1); pos <= 1000; pos++ {
		if odd := pos%2 == 1; (odd || pos == 1000) && !seen[pos] {
			t.Fatalf("%d was not acknowledged and is lost", pos)
		}
		if pos%2 == 0 && pos <= ackMaxRanges && seen[pos] {
			t.Fatalf("%d was acknowledged and comes again", pos)
		}
	}
}

func TestWait(t *testing.T) {
	s := openSpool(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	wait := func(pos Position) { go func() { done <- s.Wait(ctx, pos) }() }
	waiting := func() {
		t.Helper()
		for {
			s.mu.Lock()
			ready := s.changed != nil
			s.mu.Unlock()
			if ready {
				return
			}
			if ctx.Err() != nil {
				t.Fatal("nobody waits")
			}
			time.Sleep(time.Millisecond)
		}
	}
	wait(2)
	waiting()
	mustAppend(t, s, "x")
	waiting() // 1 is not 2
	select {
	case err := <-done:
		t.Fatalf("Wait(2) returned %v with 1 record", err)
	default:
	}
	mustAppend(t, s, "x")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(ctx, 0); err != nil { // at once
		t.Fatal(err)
	}
	if err := s.Ack(0, 3); err != nil {
		t.Fatal(err)
	}
	wait(0) // what is acknowledged does not count
	waiting()
	s.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Wait on a closed spool: %v", err)
	}
	s = openSpool(t, Options{Dir: t.TempDir()})
	cancelled, stop := context.WithCancel(ctx)
	stop()
	if err := s.Wait(cancelled, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a cancelled context: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := openSpool(t, Options{Dir: t.TempDir()})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, appendErr := s.Append(0, nil)
	_, _, readErr := s.Read(0, 1, 1)
	for _, err := range []error{appendErr, readErr, s.Ack(0, 0), s.SetPreamble(nil), s.Wait(t.Context(), 0)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	s := openSpool(t, Options{Dir: t.TempDir(), MaxBytes: 1000})
	if err := s.SetPreamble(make([]byte, 2000)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("preamble: %v", err)
	}
	if _, err := s.Append(0, make([]byte, 1000)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("record: %v", err)
	}
	mustAppend(t, s, strings.Repeat("x", 800)) // larger than a segment, but it fits
	mustAppend(t, s, strings.Repeat("y", 800))
	if got, _ := mustRead(t, s, 0, 0, 0); len(got) != 1 || got[0].Position != 2 {
		t.Errorf("got %q, want the second record alone", text(got))
	}
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "spool")
	s := openSpool(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open: %v; want ErrLocked with our pid", err)
	}
	s.Close()
	openSpool(t, Options{Dir: dir})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v (%v), want 0700", info.Mode(), err)
	}
}

func TestNewerFormat(t *testing.T) {
	for _, name := range []string{"segment", ackName} {
		t.Run(name, func(t *testing.T) {
			opts := Options{Dir: t.TempDir()}
			s := openSpool(t, opts)
			mustAppend(t, s, "x")
			s.Close()
			path := filepath.Join(opts.Dir, name)
			size, sum := ackSlotSize, ackSlotSize-4
			if name == "segment" {
				path = segmentPath(opts.Dir, 1)
				size, sum = segmentHeaderSize, 8
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at+size <= len(b) && (at == 0 || name == ackName); at += size {
				b[at+6] = formatVersion + 1
				putSum(b[at:], sum)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(opts); !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), path) {
				t.Fatalf("Open: %v, want ErrNewerFormat with the file", err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestConcurrent runs everything at once; what the readers acknowledge together
// is every record, and each was read whole.
func TestConcurrent(t *testing.T) {
	const total = 3000
	s := openSpool(t, Options{Dir: t.TempDir(), SegmentBytes: 4 << 10, SyncInterval: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var (
		wg   sync.WaitGroup
		seen [total + 1]atomic.Bool
	)
	read := func(pos Position, batch int) {
		for s.Wait(ctx, pos) == nil {
			records, next, err := s.Read(pos, batch, 0)
			if err != nil {
				t.Error(err)
				return
			}
			for _, r := range records {
				if want := fmt.Sprintf("record %d", r.Position); string(r.Data) != want || string(r.Preamble) != fmt.Sprint(r.Position/100) {
					t.Errorf("got %q/%q, want %q", r.Preamble, r.Data, want)
				}
				seen[r.Position].Store(true)
				if err := s.Ack(r.Position, r.Position+1); err != nil {
					t.Error(err)
				}
			}
			if pos = next; pos > total {
				return
			}
		}
	}
	for i := range 4 {
		wg.Go(func() { read(Position(i*100), 1+i*10) })
	}
	for i := 1; i <= total; i++ {
		if err := s.SetPreamble([]byte(fmt.Sprint(i / 100))); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, fmt.Sprintf("record %d", i))
		s.Stats()
	}
	// Readers that find nothing left wait for the next record.
	for s.Stats().Records > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	for i := 1; i <= total; i++ {
		if !seen[i].Load() {
			t.Fatalf("nobody read %d; %+v", i, s.Stats())
		}
	}
	if stats := s.Stats(); stats.Segments > 1 || stats.Damaged+stats.Dropped > 0 {
		t.Errorf("%+v, want one segment and nothing lost", stats)
	}
}

// segmentFiles lists the names of the segments in dir.
func segmentFiles(tb testing.TB, dir string) []string {
	tb.Helper()
	files, err := fs.Glob(os.DirFS(dir), "*"+segmentSuffix)
	if err != nil {
		tb.Fatal(err)
	}
	return files
}
