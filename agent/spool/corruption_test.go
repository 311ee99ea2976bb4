package spool

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// putSum writes the checksum of b[:at] at at.
func putSum(b []byte, at int) {
	binary.LittleEndian.PutUint32(b[at:], checksum(0, b[:at]))
}

// smallSpool makes a folder of three segments with preambles in their midst, of
// which record 2 is acknowledged, and returns its files and its records' texts.
func smallSpool(t *testing.T) (files map[string][]byte, want map[Position]string) {
	opts := Options{Dir: t.TempDir(), SegmentBytes: 420}
	s := openSpool(t, opts)
	for i := 1; i <= 16; i++ {
		if err := s.SetPreamble([]byte(fmt.Sprintf("p%d", i/4))); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, strings.Repeat(string(rune('a'+i)), i))
	}
	if err := s.Ack(2, 3); err != nil {
		t.Fatal(err)
	}
	want = map[Position]string{}
	records, _ := mustRead(t, s, 0, 0, 0)
	for _, r := range records {
		want[r.Position] = text([]Record{r})
	}
	s.Close()
	if n := len(segmentFiles(t, opts.Dir)); n < 3 || len(want) != 15 {
		t.Fatalf("%d segments, %d records", n, len(want))
	}
	files = map[string][]byte{}
	entries, err := os.ReadDir(opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(opts.Dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files, want
}

// damage opens a copy of files in which file has the content b. It returns how
// many of the wanted records are lost, having checked that no other is returned
// and that the spool goes on.
func damage(t *testing.T, dir string, files map[string][]byte, want map[Position]string, file string, b []byte) (lost int) {
	t.Helper()
	for name, content := range files {
		if name == file {
			content = b
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, e := range must(os.ReadDir(dir)) {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}()
	opts := Options{Dir: dir, SegmentBytes: 420, Now: func() time.Time { return time.UnixMilli(0) }, Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { abandon(s) }()
	lost = len(want)
	var last Position
	kept := map[Position]string{} // what the restart must give again
	for round := range 2 {
		records, _ := mustRead(t, s, 0, 0, 0)
		for i, r := range records {
			got := text([]Record{r})
			switch w, ok := want[r.Position]; {
			case i > 0 && records[i-1].Position >= r.Position:
				t.Fatalf("%q is out of order", text(records))
			case round == 1:
				if kept[r.Position] != got {
					t.Fatalf("after a restart %q, want %q", got, kept[r.Position])
				}
			case r.Position == 2 && file == ackName: // a second delivery is allowed
			case !ok || w != got:
				t.Fatalf("wrong record %q, want %q", got, w)
			default:
				lost--
			}
			kept[r.Position] = got
		}
		if len(kept) != len(records) {
			t.Fatalf("after a restart %q, want %v", text(records), kept)
		}
		pos := mustAppend(t, s, "new")
		if pos <= last {
			t.Fatalf("position %d given twice", pos)
		}
		last = pos
		got, _ := mustRead(t, s, pos, 0, 0)
		kept[pos] = fmt.Sprintf("%d:new", pos)
		if text(got) != kept[pos] {
			t.Fatalf("after an append: %q", text(got))
		}
		if held := s.Stats().Records; held != uint64(countAll(t, s)) {
			t.Fatalf("Stats has %d records, Read %d", held, countAll(t, s))
		}
		abandon(s)
		if s, err = Open(opts); err != nil {
			t.Fatalf("second Open: %v", err)
		}
	}
	return lost
}

func countAll(t *testing.T, s *Spool) int {
	t.Helper()
	records, _ := mustRead(t, s, 0, 0, 0)
	return len(records)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// memoryDir is a folder on no disk, where the system has such: these tests start a
// spool some thousand times, and each start waits for the disk twice.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vitals-spool-") //nolint:usetesting // what a test is given is on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestFlip damages each byte of each file in turn.
func TestFlip(t *testing.T) {
	files, want := smallSpool(t)
	for name, content := range files {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			t.Run(fmt.Sprintf("%s %02x", name, mask), func(t *testing.T) {
				t.Parallel()
				dir := memoryDir(t)
				for i := range content {
					if at := i % ackSlotSize; name == ackName && at > 64 && at < ackSlotSize-4 && i%61 > 0 {
						continue // these are all zero
					}
					b := append([]byte(nil), content...)
					b[i] ^= mask
					lost := damage(t, dir, files, want, name, b)
					switch {
					case !strings.HasSuffix(name, segmentSuffix) && lost > 0:
						t.Fatalf("byte %d: %d records lost", i, lost)
					case lost > 1 && recordAt(content, i):
						t.Fatalf("byte %d is in a record: %d records lost, want 1", i, lost)
					case lost > 6:
						t.Errorf("byte %d: %d records lost, more than a segment has", i, lost)
					}
				}
			})
		}
	}
}

// recordAt tells whether byte i of a segment is in a record's frame.
func recordAt(segment []byte, i int) bool {
	h, state := parseSegmentHeader(segment)
	if state != headerGood {
		return false
	}
	for off := segmentHeaderSize; off < len(segment); {
		f, ok := parseFrameHeader(segment[off:], h.salt)
		if !ok {
			return false
		}
		if i >= off && i < off+int(f.size()) {
			return f.kind == kindRecord
		}
		off += int(f.size())
	}
	return false
}

// TestTruncate cuts each file at each length.
func TestTruncate(t *testing.T) {
	files, want := smallSpool(t)
	for name, content := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := memoryDir(t)
			for n := range content {
				if name == ackName && n%61 > 0 {
					continue
				}
				lost := damage(t, dir, files, want, name, content[:n])
				if !strings.HasSuffix(name, segmentSuffix) && lost > 0 || lost > 6 {
					t.Fatalf("cut at %d: %d records lost", n, lost)
				}
			}
		})
	}
}

// TestZeroedTail is what a power cut can leave: the size is there, the data not.
func TestZeroedTail(t *testing.T) {
	files, want := smallSpool(t)
	dir := memoryDir(t)
	name := lastSegment(files)
	content := files[name]
	for n := range content {
		b := append([]byte(nil), content...)
		clear(b[n:])
		if lost := damage(t, dir, files, want, name, b); lost > 6 {
			t.Fatalf("zero from %d: %d records lost", n, lost)
		}
	}
	// Whatever follows the last frame costs nothing.
	for _, junk := range []string{"\x00", "junk", string(frameMarker[:]), strings.Repeat("\x00", 5000), string(content[segmentHeaderSize : segmentHeaderSize+20])} {
		if lost := damage(t, dir, files, want, name, append(append([]byte(nil), content...), junk...)); lost > 0 {
			t.Errorf("junk %.10q at the end: %d records lost", junk, lost)
		}
	}
}

func lastSegment(files map[string][]byte) (last string) {
	for name := range files {
		if strings.HasSuffix(name, segmentSuffix) {
			last = max(last, name)
		}
	}
	return last
}

// TestFramesInside damages a record whose data looks like frames: they must not
// come out as records.
func TestFramesInside(t *testing.T) {
	files, _ := smallSpool(t)
	opts := Options{Dir: t.TempDir()}
	s := openSpool(t, opts)
	mustAppend(t, s, "before")
	for _, content := range files {
		mustAppend(t, s, string(content))
	}
	last := mustAppend(t, s, "after")
	s.Close()
	path := segmentPath(opts.Dir, 1)
	b := must(os.ReadFile(path))
	for off := segmentHeaderSize + frameHeaderSize + len("before"); ; {
		h, ok := parseFrameHeader(b[off:], must2(parseSegmentHeader(b)).salt)
		if !ok || h.position == last {
			break
		}
		b[off] ^= 1
		off += int(h.size())
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, opts)
	got, _ := mustRead(t, s, 0, 0, 0)
	if want := fmt.Sprintf("1:before %d:after", last); text(got) != want {
		t.Errorf("got %q, want %q", text(got), want)
	}
	if n := s.Stats().Damaged; n != uint64(len(files)) {
		t.Errorf("Damaged is %d, want %d", n, len(files))
	}
}

func must2[T, U any](v T, _ U) T { return v }

// TestDeletedFiles has someone delete segments under a running spool.
func TestDeletedFiles(t *testing.T) {
	opts := Options{Dir: t.TempDir(), SegmentBytes: 120}
	s := openSpool(t, opts)
	for range 6 {
		mustAppend(t, s, "x")
	}
	for _, base := range []Position{3, 5} { // 5 is the active one
		if err := os.Remove(segmentPath(opts.Dir, base)); err != nil {
			t.Fatal(err)
		}
	}
	f := func(want string, damaged uint64) {
		t.Helper()
		got, _ := mustRead(t, s, 0, 0, 0)
		if stats := s.Stats(); text(got) != want || stats.Damaged != damaged {
			t.Errorf("got %q and %+v, want %q and %d damaged", text(got), stats, want, damaged)
		}
	}
	f("1:x 2:x", 4)
	mustAppend(t, s, "y")
	f("1:x 2:x 7:y", 4)
}

// TestPowerCut has the end of the queue lost, but the acknowledgements not: what
// is appended then must not pass for acknowledged.
func TestPowerCut(t *testing.T) {
	opts := Options{Dir: t.TempDir()}
	s := openSpool(t, opts)
	mustAppend(t, s, "1")
	size := s.Stats().Bytes
	for range 4 {
		mustAppend(t, s, "lost")
	}
	if err := s.Ack(4, 5); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Truncate(segmentPath(opts.Dir, 1), size); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, opts)
	if got := s.Stats(); got.Damaged != 2 {
		t.Errorf("%+v, want 2 and 3 counted as damaged", got)
	}
	for range 3 {
		mustAppend(t, s, "new")
	}
	got, _ := mustRead(t, s, 0, 0, 0)
	if want := "1:1 5:new 6:new 7:new"; text(got) != want {
		t.Errorf("got %q, want %q", text(got), want)
	}
}
