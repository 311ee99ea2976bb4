package store

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c steady
		clock := start
		f := func(passes time.Duration, ahead int64, believed, jumped bool) {
			t.Helper()
			time.Sleep(passes)
			clock += passes.Milliseconds() + ahead
			if b, j := c.look(clock); b != believed || j != jumped {
				t.Errorf("believed %v, jumped %v; want %v, %v", b, j, believed, jumped)
			}
		}
		clock = 0
		f(0, 0, true, false)
		f(2*time.Second, start, true, false) // set at last
		f(2*time.Second, 0, true, false)
		f(2*time.Second, 30*minute, true, false)
		f(2*time.Second, 49*hour, false, true)
		f(30*time.Minute, 0, false, false)
		f(time.Second, -49*hour, true, false) // set right
		f(time.Second, 49*hour, false, true)
		f(59*time.Minute, 0, false, false)
		f(2*time.Minute, 0, true, false) // it seems to be true
	})
}
