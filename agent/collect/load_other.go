//go:build !linux

package collect

import (
	"context"
	"runtime"

	"github.com/shirou/gopsutil/v4/load"
)

type loadReader struct{}

func newLoadReader(system) *loadReader { return &loadReader{} }

func (*loadReader) read(ctx context.Context) ([3]float64, error) {
	if runtime.GOOS == "windows" {
		// gopsutil imitates it with a goroutine that never ends.
		return [3]float64{}, unsupported("Windows has no load average")
	}
	averages, err := load.AvgWithContext(ctx)
	if err != nil {
		return [3]float64{}, orUnsupported(err)
	}
	return [3]float64{averages.Load1, averages.Load5, averages.Load15}, nil
}
