package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type memoryReader struct{ file procFile }

func newMemoryReader(sys system) *memoryReader {
	return &memoryReader{procFile{path: sys.proc + "/meminfo"}}
}

func (m *memoryReader) read(context.Context) (memoryReading, error) {
	text, err := m.file.read()
	if err != nil {
		return memoryReading{}, err
	}
	info, err := procfs.ParseMeminfo(text)
	if err != nil {
		return memoryReading{}, err
	}
	return memoryReading{
		total:     info.Total,
		available: info.Available,
		// What free shows as buff/cache.
		cached:    info.Buffers + info.Cached + info.Reclaimable,
		swapTotal: info.SwapTotal,
		swapFree:  info.SwapFree,
	}, nil
}
