//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/mem"
)

type memoryReader struct{}

func newMemoryReader(system) *memoryReader { return &memoryReader{} }

func (*memoryReader) read(ctx context.Context) (memoryReading, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return memoryReading{}, err
	}
	swap, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return memoryReading{}, err
	}
	return memoryReading{
		total:     m.Total,
		available: m.Available,
		cached:    m.Buffers + m.Cached,
		swapTotal: swap.Total,
		swapFree:  less(swap.Total, swap.Used),
	}, nil
}
