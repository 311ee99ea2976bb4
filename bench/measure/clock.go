package main

import (
	"sync/atomic"
	"time"
)

// clock is a clock that is moved by hand; the store reads it from goroutines of
// its own.
type clock struct{ millis atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.set(at)
	return c
}

func (c *clock) set(at time.Time) { c.millis.Store(at.UnixMilli()) }

func (c *clock) now() time.Time { return time.UnixMilli(c.millis.Load()) }
