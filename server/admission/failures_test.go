package admission

import (
	"strconv"
	"testing"
	"time"
)

func TestFailures(t *testing.T) {
	var f Failures
	now := time.Now()
	want := func(name string, wait time.Duration) {
		t.Helper()
		if got := f.wait(name, now); got != wait {
			t.Errorf("%s waits %s, want %s", name, got, wait)
		}
	}
	for range freeFailures - 1 {
		f.failed("a", now)
	}
	want("a", 0)
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		f.failed("a", now)
		want("a", wait*time.Second)
		want("b", 0)
	}
	now = now.Add(59 * time.Second)
	want("a", time.Second)
	now = now.Add(time.Second)
	want("a", 0)
	f.failed("a", now)
	want("a", longestPause) // it goes on where it was
	f.Succeeded("a")
	want("a", 0)
	f.failed("a", now)
	want("a", 0)

	for range freeFailures {
		f.failed("b", now)
	}
	now = now.Add(2*longestPause + time.Second)
	f.failed("b", now)
	want("b", 0) // long ago is forgotten
	for i := range 2 * mostFailing {
		f.failed(strconv.Itoa(i), now)
	}
	if len(f.by) > mostFailing {
		t.Errorf("%d callers are remembered", len(f.by))
	}
}
