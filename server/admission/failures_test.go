package admission

import (
	"strconv"
	"testing"
	"time"
)

func TestFailures(t *testing.T) {
	var f Failures
	now := time.Now()
	try := func(name string, wait time.Duration) {
		t.Helper()
		if got := f.try(name, now); got != wait {
			t.Errorf("%s waits %s, want %s", name, got, wait)
		}
	}
	for range freeFailures {
		try("a", 0)
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		try("a", wait*time.Second)
		try("b", 0)
		f.Succeeded("b")
		now = now.Add(wait*time.Second - time.Millisecond)
		try("a", time.Millisecond)
		now = now.Add(time.Millisecond)
		try("a", 0) // it goes on where it was
	}
	try("a", longestPause)
	f.Succeeded("a")
	try("a", 0)

	for range freeFailures {
		try("b", 0)
	}
	try("b", firstPause)
	f.TakeBack("b")
	try("b", 0)
	try("b", firstPause)
	now = now.Add(2*longestPause + time.Second)
	try("b", 0) // long ago is forgotten
	f.TakeBack("b")
	f.TakeBack("b")
	if f.by["b"] != nil {
		t.Error("who never failed is remembered")
	}
	for i := range 2 * mostFailing {
		f.try(strconv.Itoa(i), now)
	}
	if len(f.by) > mostFailing {
		t.Errorf("%d callers are remembered", len(f.by))
	}
}
