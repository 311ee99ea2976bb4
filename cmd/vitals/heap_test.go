package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGrowthFor(t *testing.T) {
	f := func(live uint64, want int) {
		t.Helper()
		if got := growthFor(64<<20, live); got != want {
			t.Errorf("of %d MiB: %d %%, want %d", live>>20, got, want)
		}
	}
	f(0, 400)
	f(1<<20, 400)
	f(16<<20, 300)
	f(20<<20, 220)
	f(32<<20, 100)
	f(1<<30, 100)
}

// TestKeepHeapFloor has the collector's percentage follow the heap, and put back.
func TestKeepHeapFloor(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	stop := keepHeapFloor(1 << 40)
	growth := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	for deadline := time.Now().Add(30 * time.Second); growth() != mostGrowth; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the heap may grow by %d %%, want %d", growth(), mostGrowth)
		}
	}
	held := make([]byte, 64<<20)
	stop()
	runtime.GC()
	if got := growth(); got != 100 {
		t.Errorf("afterwards the heap may grow by %d %%", got)
	}
	runtime.KeepAlive(held)
}
