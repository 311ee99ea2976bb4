package store

import "time"

// steady tells whether the clock can be believed. One that jumps ahead, by a mistake
// of who sets it, would have whole tiers expire and years without a sample be written
// as closed; it is mostly set right again soon. One goroutine uses it.
type steady struct {
	wall   int64     // what the clock said last, in milliseconds
	at     time.Time // when that was, by the monotonic clock
	jumped time.Time // when it jumped ahead, by the monotonic clock
}

const (
	// jump is by how much more than time has passed the clock has to go on to be
	// doubted, in milliseconds. A machine that was suspended does that too.
	jump = hour
	// doubt is how long.
	doubt = time.Hour
	// unset is where a clock is that nobody has set yet, or before: one that jumps on
	// from there is put right. It is the start of 2020, in milliseconds.
	unset = 1_577_836_800_000
)

// look takes what the clock says now. It reports whether to believe it, and whether it
// has jumped ahead just now.
func (c *steady) look(wall int64) (believed, jumped bool) {
	now := time.Now()
	if !c.at.IsZero() {
		switch more := wall - c.wall - now.Sub(c.at).Milliseconds(); {
		case more > jump && c.wall > unset:
			c.jumped, jumped = now, true
		case more < -jump:
			c.jumped = time.Time{}
		}
	}
	c.wall, c.at = wall, now
	return c.jumped.IsZero() || now.Sub(c.jumped) > doubt, jumped
}
