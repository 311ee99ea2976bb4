package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// smallDisk mounts a disk of that many MiB for the test.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: a small disk cannot be mounted here (it takes root): %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// fillDisk writes a file until nothing fits any more.
func fillDisk(t *testing.T, dir string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "filler")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	return file
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Run("refused in time", func(t *testing.T) { testFullDisk(t, 0) })
	t.Run("found by the log", func(t *testing.T) { testFullDisk(t, 1) })
}

func testFullDisk(t *testing.T, minFree int64) {
	disk := smallDisk(t, "size=48m")
	o := testOptions(t, filepath.Join(disk, "data"))
	o.MinFree = minFree
	s := openStore(t, o)
	a, b := cpuOf("a"), cpuOf("b")
	var want []sample
	next := start
	// Batches of two series; one point in ten of b is late.
	appendOne := func() error {
		r, err := s.Append(context.Background(), []Point{
			{s.Ref(a), next, float64(next % 1009)}, {s.Ref(b), next, float64(next % 1009)}, {s.Ref(b), next - 5, 1},
		})
		if err == nil {
			if len(r.Rejected) > 0 {
				t.Fatalf("%+v", r)
			}
			want = append(want, sample{next, float64(next % 1009)})
			next += second
		}
		return err
	}
	for range 2000 {
		if err := appendOne(); err != nil {
			t.Fatal(err)
		}
	}
	filler := fillDisk(t, disk)
	var err error
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); {
		err = appendOne()
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("on a full disk: %v", err)
	}
	if !errors.Is(s.Health(), ErrFull) || !s.Stats().Full {
		t.Errorf("health %v, stats %+v", s.Health(), s.Stats())
	}
	// Reads go on, and everything acknowledged is there.
	wantRaw(t, s, a, want...)
	if r, err := s.Range(context.Background(), RangeRequest{Matchers: byType("cpu"), Start: start, End: next}); err != nil || len(r.Series) != 2 {
		t.Fatalf("%v, %v", r, err)
	}
	// What the TSDB does in the background each minute must not bring it down.
	if minFree == 0 {
		s.raw.db.ForceHeadMMap()
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes are taken again", func() bool { return appendOne() == nil })
	for range 1000 {
		if err := appendOne(); err != nil {
			t.Fatal(err)
		}
	}
	wantRaw(t, s, a, want...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	wantRaw(t, s, a, want...)
	if got := readRaw(t, s, b); len(got) != 2*len(want) {
		t.Errorf("b has %d samples, want %d", len(got), 2*len(want))
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "size=1m,ro")
	_, err := Open(context.Background(), Options{Dir: filepath.Join(dir, "data")})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
	_, err = Open(context.Background(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
}

func TestDirIsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Options{Dir: file})
	if err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("got %v", err)
	}
}

func TestDirIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are another thing there")
	}
	dir := filepath.Join(t.TempDir(), "deep", "data")
	openStore(t, testOptions(t, dir))
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, testOptions(t, dir))
	_, err := Open(context.Background(), Options{Dir: dir})
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Holder.PID != os.Getpid() || locked.Holder.Since.IsZero() || locked.Holder.Host == "" {
		t.Fatalf("the second opener got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, testOptions(t, dir))
}

func TestDamagedLogIsRepaired(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, testOptions(t, dir))
	a := cpuOf("a")
	for i := range int64(1000) {
		mustAppend(t, s, Point{s.Ref(a), start + i*second, float64(i)})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "raw", "wal", "0*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	damage(t, segments[0], 0.5)
	s = openStore(t, testOptions(t, dir))
	got := readRaw(t, s, a)
	// What was in whole chunks is not only in the log.
	if len(got) < 300 || len(got) == 1000 {
		t.Errorf("%d samples are left of 1000 with a log damaged in the middle", len(got))
	}
	for i, g := range got {
		if g != (sample{start + int64(i)*second, float64(i)}) {
			t.Fatalf("sample %d is %v", i, g)
		}
	}
	if n := s.Stats().LogRepairs; n != 1 {
		t.Errorf("%d repairs told", n)
	}
	if r := mustAppend(t, s, Point{s.Ref(a), start + hour, 1}); r.Stored != 1 {
		t.Errorf("%+v", r)
	}
}

// damage writes garbage at a part of the file.
// TestDamagedLateLogIsRepaired: what can be read of the log of late samples is kept,
// and that some of it cannot is told.
func TestDamagedLateLogIsRepaired(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, testOptions(t, dir))
	a, late := cpuOf("a"), cpuOf("late")
	mustAppend(t, s, Point{s.Ref(a), start + 4000*second, 1}, Point{s.Ref(late), start + 4000*second, 1})
	for i := range int64(2000) {
		mustAppend(t, s, Point{s.Ref(late), start + i*second, float64(i)})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "raw", "wbl", "0*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	damage(t, segments[0], 0.5)
	if err := os.RemoveAll(filepath.Join(dir, "raw", "chunks_head")); err != nil { // which a kill can cost
		t.Fatal(err)
	}
	s = openStore(t, testOptions(t, dir))
	got := readRaw(t, s, late)
	if len(got) < 500 || len(got) > 2000 {
		t.Errorf("%d samples are left of 2001 with their log damaged in the middle", len(got))
	}
	if n := s.Stats().LogRepairs; n != 1 {
		t.Errorf("%d repairs were told", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "raw", "wbl.damaged")); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, testOptions(t, dir))
	if again := readRaw(t, s, late); len(again) != len(got) || s.Stats().LogRepairs != 0 {
		t.Errorf("%d samples and %d repairs when opened again", len(again), s.Stats().LogRepairs)
	}
}

// TestClockWasAhead: a sample of a time that has not come keeps nothing out, neither
// what is of now nor what is as late as it may be; what is later than that is refused
// as ever.
func TestClockWasAhead(t *testing.T) {
	o := testOptions(t, t.TempDir())
	s := openStore(t, o)
	now := start + 100*hour
	setNow(s, now+49*hour)
	mustAppend(t, s, Point{s.Ref(cpuOf("hub")), now + 49*hour, 1})
	setNow(s, now)
	late := o.OutOfOrderWindow
	if late == 0 {
		late = 24 * time.Hour
	}
	for n, at := range []int64{now, now - late.Milliseconds() + minute, now + second} {
		eventually(t, "the sample is taken", func() bool {
			got, err := s.Append(t.Context(), []Point{{s.Ref(cpuOf("web")), at, float64(n)}})
			if err != nil && !errors.Is(err, ErrUnavailable) || len(got.Rejected) > 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			return err == nil
		})
	}
	if got := readRaw(t, s, cpuOf("web")); len(got) != 3 {
		t.Errorf("stored are %v", got)
	}
	got, err := s.Append(t.Context(), []Point{{s.Ref(cpuOf("web")), now - 2*late.Milliseconds(), 1}})
	if err != nil || len(got.Rejected) != 1 || !errors.Is(got.Rejected[0].Reason, ErrTooOld) {
		t.Errorf("what is too late by the clock too: %+v, %v", got, err)
	}
	if closed := s.Closed(); closed > now-late.Milliseconds() {
		t.Errorf("closed up to %d after now", closed-now)
	}
}

func damage(t *testing.T, path string, part float64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), int64(float64(info.Size())*part)); err != nil {
		t.Fatal(err)
	}
}
