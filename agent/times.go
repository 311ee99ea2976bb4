package agent

import (
	"math/rand/v2"
	"time"
)

// Times keeps rounds apart when the clock is set back: a second is lived through
// twice then, and both rounds are true. The later one gets a time a millisecond
// aside, for a series has one value at a time, until the clock is where it was. One
// goroutine uses it.
type Times struct {
	last    int64 // given last, in milliseconds
	highest int64 // the newest given
	shift   int64 // what is added to times that were lived through before, now
	backs   int64 // how often the clock was set back
}

// maxBacks bounds the milliseconds by which the first round aside differs from those
// of the runs before.
const maxBacks = 500

// NewTimes goes on after the newest round of the runs before, in which, and between
// which, the clock may have been set back too; the zero time where there was none.
func NewTimes(newest time.Time) *Times {
	if newest.IsZero() {
		return &Times{}
	}
	at := newest.UnixMilli()
	return &Times{last: at, highest: at, backs: rand.Int64N(maxBacks)} //nolint:gosec // it hides nothing
}

// Unique returns the time for a round that was taken at a time, both in milliseconds
// since the Unix epoch.
func (t *Times) Unique(at int64) int64 {
	switch {
	case at > t.highest:
		t.shift = 0
	case at+t.shift <= t.last:
		t.backs++
		t.shift = t.backs
	}
	t.last = at + t.shift
	t.highest = max(t.highest, t.last)
	return t.last
}
