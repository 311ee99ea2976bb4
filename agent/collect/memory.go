package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/metric"
)

// gigabyte is the unit GB in bytes.
const gigabyte = 1e9

// memoryReading is in bytes.
type memoryReading struct {
	total, available, cached, swapTotal, swapFree uint64
}

type memorySource struct {
	reader *memoryReader

	used, total, available, cached, swapTotal, swapUsed *metric.Series
}

func newMemorySource(sys system, host hostSeries) *memorySource {
	return &memorySource{
		reader:    newMemoryReader(sys),
		used:      host.series(metric.Memory),
		total:     host.series("memory_total"),
		available: host.series("memory_available"),
		cached:    host.series("memory_cached"),
		swapTotal: host.series("swap_total"),
		swapUsed:  host.series("swap_used"),
	}
}

func (s *memorySource) name() string { return "memory" }

func (s *memorySource) collect(ctx context.Context, r *round) error {
	m, err := s.reader.read(ctx)
	if err != nil {
		return err
	}
	r.addUse(s.used, less(m.total, m.available))
	r.add(s.total, float64(m.total)/gigabyte)
	r.addUse(s.available, m.available)
	r.addUse(s.cached, m.cached)
	r.add(s.swapTotal, float64(m.swapTotal)/gigabyte)
	r.addUse(s.swapUsed, less(m.swapTotal, m.swapFree))
	return nil
}

// less is a-b, or 0 where b is more: the two were read at different moments.
func less(a, b uint64) uint64 {
	if b > a {
		return 0
	}
	return a - b
}
