package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is how large the server's heap may always become before it is collected.
// A server whose live heap is small would otherwise collect it dozens of times a
// second under load, which is a sixth of the processor time of small calls; the price
// is memory that stays below what a few hundred hosts take anyway.
const heapFloor = 64 << 20

// The collector's percentage, whatever the heap.
const (
	leastGrowth = 100 // Go's own
	mostGrowth  = 400 // so that a heap that grows at once is not collected too late
)

// cycle is something that the next collection frees. Smaller things are allocated
// several in one piece, and freed with the last of them.
type cycle [64]byte

// keepHeapFloor lets the heap grow to floor bytes before it is collected, and after
// that by as much as Go has it, until stop is called. A floor of 0 is none.
func keepHeapFloor(floor uint64) (stop func()) {
	if floor == 0 {
		return func() {}
	}
	done := make(chan struct{})
	var collected func(struct{})
	collected = func(struct{}) {
		select {
		case <-done:
			return
		default:
		}
		debug.SetGCPercent(growthFor(floor, liveHeap()))
		runtime.AddCleanup(new(cycle), collected, struct{}{}) // called by the next collection
	}
	before := debug.SetGCPercent(mostGrowth)
	runtime.AddCleanup(new(cycle), collected, struct{}{})
	return func() {
		close(done)
		debug.SetGCPercent(before)
	}
}

// heapFloor is that of a server: none where the operator has chosen the collector's
// percentage, and less where memory is bounded, of which what is not collected is a
// part.
func (c serveConfig) heapFloor() uint64 {
	switch most := c.options.Admission.MaxMemory; {
	case os.Getenv("GOGC") != "":
		return 0
	case most > 0:
		return min(heapFloor, uint64(most)/2)
	}
	return heapFloor
}

// growthFor is by how many per cent a heap of which so much is live may grow.
func growthFor(floor, live uint64) int {
	percent := mostGrowth
	if live > 0 {
		percent = int(min(100*floor/live, math.MaxInt32)) - 100
	}
	return min(max(percent, leastGrowth), mostGrowth)
}

// liveHeap is what the collector found to be in use last, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
