package spool

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeClock is a clock that a test sets, in milliseconds.
type fakeClock struct{ ms atomic.Int64 }

func (c *fakeClock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

func TestBudgetOfBytes(t *testing.T) {
	const budget = 10_000
	opts := Options{Dir: t.TempDir(), MaxBytes: budget, SegmentBytes: 1000}
	s := openSpool(t, opts)
	var pos Position
	for i := range 500 {
		pos = mustAppend(t, s, strings.Repeat("x", i%200))
		stats := s.Stats()
		if stats.Bytes > budget || stats.Records+stats.Dropped != uint64(pos) {
			t.Fatalf("%+v after %d records", stats, pos)
		}
	}
	stats := s.Stats()
	if stats.Bytes < budget-2*1000 {
		t.Errorf("%+v: more was dropped than the budget asks for", stats)
	}
	// A reader whose place is gone goes on at the oldest that is left, and sees it.
	records, _ := mustRead(t, s, 7, 1, 0)
	if first := records[0].Position; uint64(first) != stats.Dropped+1 {
		t.Errorf("reads on at %d with %d dropped", first, stats.Dropped)
	}
	if err := s.Ack(7, records[0].Position+1); err != nil { // what is gone as well
		t.Fatal(err)
	}
	// What was acknowledged is not dropped.
	if err := s.Ack(0, s.End()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		mustAppend(t, s, strings.Repeat("x", 500))
	}
	if got := s.Stats(); got.Dropped != stats.Dropped || got.Records != 10 {
		t.Errorf("%+v, want %d dropped as before", got, stats.Dropped)
	}
	// A smaller budget holds from the next record on.
	s.Close()
	opts.MaxBytes = 4000
	s = openSpool(t, opts)
	mustAppend(t, s, "x")
	if got := s.Stats(); got.Bytes > 4000 || got.Dropped == 0 {
		t.Errorf("%+v with a budget of 4000", got)
	}
}

func TestBudgetOfAge(t *testing.T) {
	var clock fakeClock
	opts := Options{Dir: t.TempDir(), MaxAge: 160 * time.Second, Now: clock.now}
	s := openSpool(t, opts)
	second := func(n int64) {
		t.Helper()
		clock.ms.Store(n * 1000)
		if _, err := s.Append(n*1000, []byte(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range int64(400) {
		second(n)
		oldest := s.Stats().Oldest.UnixMilli() / 1000
		if age := n - oldest; n > 180 && (age < 150 || age > 172) || n <= 160 && oldest != 0 {
			t.Fatalf("the oldest is %d s old at %d s", age, n)
		}
	}
	dropped := s.Stats().Dropped
	// A clock set back drops nothing.
	second(300)
	if got := s.Stats().Dropped; got != dropped {
		t.Errorf("%d dropped by a clock set back", got-dropped)
	}
	// After a long suspend a reader finds nothing, and the spool works on.
	clock.ms.Store(5_000_000)
	if got, next := mustRead(t, s, 0, 0, 0); len(got) > 0 || next != s.End() {
		t.Errorf("read %d records, all of them too old", len(got))
	}
	if got := s.Stats(); got.Dropped != 401 || got.Segments != 0 {
		t.Errorf("%+v, want all of 401 dropped", got)
	}
	second(5000)
	s.Close()
	clock.ms.Store(9_000_000) // time passes while nothing runs, too
	s = openSpool(t, opts)
	if got := s.Stats(); got.Records != 0 || got.Dropped != 1 {
		t.Errorf("%+v, want the last record dropped by Open", got)
	}
	if pos := mustAppend(t, s, "x"); pos != 403 {
		t.Errorf("position %d, want 403", pos)
	}
}

// TestClockSetAhead sets the clock days ahead, and back, while time goes on as it
// does: that alone makes nothing old.
func TestClockSetAhead(t *testing.T) {
	const day = 24 * time.Hour
	var clock fakeClock
	var passed time.Duration
	s := openSpool(t, Options{Dir: t.TempDir(), MaxAge: day, SegmentBytes: 100, Now: clock.now, elapsed: func() time.Duration { return passed }})
	now, skew := 1000*day, time.Duration(0)
	appended := uint64(0)
	after := func(d time.Duration) {
		t.Helper()
		now, passed = now+d, passed+d
		clock.ms.Store((now + skew).Milliseconds())
		if _, err := s.Append(clock.ms.Load(), []byte("record")); err != nil {
			t.Fatal(err)
		}
		appended++
	}
	s.openedAt = time.UnixMilli(now.Milliseconds())
	for range 10 {
		after(time.Minute)
	}
	for _, set := range []time.Duration{3 * day, 0, 300 * day, -2 * day, 0} {
		skew = set
		after(time.Minute)
		mustRead(t, s, 0, 0, 0)
		if got := s.Stats(); got.Dropped != 0 || got.Records != appended {
			t.Fatalf("%+v with the clock %s ahead, want all of %d records", got, set, appended)
		}
	}
	after(2 * day)
	after(time.Minute)
	if got := s.Stats(); got.Dropped == 0 {
		t.Errorf("%+v, want what is two days old dropped", got)
	}
}

func TestSinceBootRuns(t *testing.T) {
	first := sinceBoot()
	time.Sleep(time.Millisecond)
	if second := sinceBoot(); second-first < time.Millisecond || second-first > time.Minute {
		t.Errorf("%s after %s", second, first)
	}
}

// TestDropWhileReading drops a segment between two reads of the same reader, and
// while it is pinned.
func TestDropWhileReading(t *testing.T) {
	s := openSpool(t, Options{Dir: t.TempDir(), MaxBytes: 480, SegmentBytes: 120})
	for range 4 {
		mustAppend(t, s, "x")
	}
	_, next := mustRead(t, s, 0, 1, 0)
	p, err := s.pin(next)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		mustAppend(t, s, "y")
	}
	var b batch
	b.maxRecords, b.maxBytes = 10, 10
	if pos, err := s.readSpan(p, &b); err != nil || pos != 3 || text(b.records) != "2:x" {
		t.Errorf("a pinned segment reads %q to %d: %v", text(b.records), pos, err)
	}
	if got, _ := mustRead(t, s, 3, 0, 0); text(got) != "3:x 4:x 5:y 6:y 7:y 8:y 9:y 10:y" {
		t.Errorf("after a drop: %q", text(got))
	}
	if files := segmentFiles(t, s.opts.Dir); len(files) != 4 {
		t.Errorf("files %v, want 4", files)
	}
}

// TestDropLog has one line in ten seconds, with the whole sum in the end.
func TestDropLog(t *testing.T) {
	var (
		out   bytes.Buffer
		clock fakeClock
	)
	s := openSpool(t, Options{
		Dir: t.TempDir(), MaxBytes: 400, SegmentBytes: 100, Now: clock.now,
		Logger: slog.New(slog.NewTextHandler(&out, nil)),
	})
	for i := range 100 {
		clock.ms.Store(int64(i) * 250) // 25 s
		mustAppend(t, s, "a record of some size")
	}
	stats := s.Stats()
	s.Close()
	lines, sum := strings.Split(strings.TrimSpace(out.String()), "\n"), uint64(0)
	for _, line := range lines {
		var n uint64
		if _, field, ok := strings.Cut(line, " records="); !ok {
			t.Errorf("line %q", line)
		} else if _, err := fmt.Sscan(field, &n); err != nil {
			t.Error(err)
		}
		sum += n
	}
	if len(lines) != 4 || sum != stats.Dropped {
		t.Errorf("%d lines about %d records of %d:\n%s", len(lines), sum, stats.Dropped, out.String())
	}
}
