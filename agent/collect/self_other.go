//go:build !linux

package collect

import (
	"context"
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

type selfReader struct{}

func newSelfReader(system) *selfReader { return &selfReader{} }

// read returns the processor time and the resident bytes of this process.
func (*selfReader) read(ctx context.Context) (spent time.Duration, resident uint64, err error) {
	self := process.Process{Pid: int32(os.Getpid())}
	times, err := self.TimesWithContext(ctx)
	if err != nil {
		return 0, 0, orUnsupported(err)
	}
	memory, err := self.MemoryInfoWithContext(ctx)
	if err != nil {
		return 0, 0, orUnsupported(err)
	}
	return time.Duration((times.User + times.System) * float64(time.Second)), memory.RSS, nil
}
