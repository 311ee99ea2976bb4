package admission

import (
	"runtime/metrics"
	"sync"
	"time"
)

// memoryInterval is how old the reading of memory may be.
const memoryInterval = 100 * time.Millisecond

// memory reads how much memory the heap's objects take.
type memory struct {
	mu   sync.Mutex
	at   time.Time
	last int64
}

// used returns bytes, as of a moment ago. It counts what the collector has not
// freed yet too, which is the memory that there is no other use for.
func (m *memory) used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) > memoryInterval {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		m.at, m.last = now, int64(sample[0].Value.Uint64()) //nolint:gosec // far below
	}
	return m.last
}
