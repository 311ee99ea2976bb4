package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tinyDisk mounts a file system of 256 KiB.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("NOT TESTED: a full disk. Mounting a tmpfs was refused (%v); run as root where mounts are allowed", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all room that is left and returns the file that does.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !isNoSpace(err) {
		t.Fatal(err)
	}
	return path
}

// TestFullDisk appends ten times what the disk takes: the oldest goes, no append
// fails.
func TestFullDisk(t *testing.T) {
	opts := Options{Dir: tinyDisk(t), SegmentBytes: 32 << 10, SyncInterval: time.Millisecond}
	s := openSpool(t, opts)
	record := strings.Repeat("x", 2000)
	for range 1300 {
		mustAppend(t, s, record)
	}
	stats := s.Stats()
	if stats.Records+stats.Dropped != 1300 || stats.Bytes < 128<<10 || stats.Damaged > 0 {
		t.Errorf("%+v, want the disk nearly full of the newest records", stats)
	}
	checkTail(t, s, stats.Dropped, 1300)
	s.Close()
	s = openSpool(t, opts)
	checkTail(t, s, stats.Dropped, 1300)
}

func checkTail(t *testing.T, s *Spool, dropped, end uint64) {
	t.Helper()
	records, _ := mustRead(t, s, 0, 0, 0)
	if uint64(len(records)) != end-dropped {
		t.Fatalf("%d records, want %d", len(records), end-dropped)
	}
	for i, r := range records {
		if uint64(r.Position) != dropped+uint64(i)+1 || len(r.Data) != 2000 {
			t.Fatalf("record %d has position %d and %d bytes", i, r.Position, len(r.Data))
		}
	}
}

// TestNoSpaceAtAll has one segment that is not acknowledged, and something else
// fills the disk.
func TestNoSpaceAtAll(t *testing.T) {
	opts := Options{Dir: tinyDisk(t), SegmentBytes: 200 << 10}
	s := openSpool(t, opts)
	record := strings.Repeat("x", 2000)
	for range 20 {
		mustAppend(t, s, record)
	}
	ballast := fill(t, opts.Dir)
	var failed error
	for range 10 {
		if pos, err := s.Append(1000, []byte(record)); err == nil {
			t.Logf("%d still fits into its page", pos)
		} else {
			failed = err
		}
	}
	if !errors.Is(failed, ErrNoSpace) || !errors.Is(failed, syscall.ENOSPC) || !strings.Contains(failed.Error(), opts.Dir) {
		t.Fatalf("Append on a full disk: %v, want ErrNoSpace with the folder", failed)
	}
	end := uint64(s.End()) - 1
	checkTail(t, s, 0, end)
	// A restart on a full disk works, to drain the queue, and so does Ack.
	s.Close()
	s = openSpool(t, opts)
	checkTail(t, s, 0, end)
	if err := s.Ack(0, 11); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(1000, []byte(strings.Repeat("x", 5000))); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("Append: %v, want ErrNoSpace", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		mustAppend(t, s, record)
	}
	checkTail(t, s, 10, end+5)
	// What is acknowledged makes room by itself.
	fill(t, opts.Dir)
	if err := s.Ack(0, s.End()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, strings.Repeat("x", 6000))
	if stats := s.Stats(); stats.Records != 1 || stats.Dropped != 0 {
		t.Errorf("%+v, want one record and none dropped", stats)
	}
}
