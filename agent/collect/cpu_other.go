//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/cpu"
)

type cpuReader struct{}

func newCPUReader(system) *cpuReader { return &cpuReader{} }

func (*cpuReader) read(ctx context.Context, out *cpuReading) error {
	cores, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return err
	}
	*out = cpuReading{cores: out.cores[:0]}
	for i, t := range cores {
		times := cpuTimes{
			user: t.User, nice: t.Nice, system: t.System, irq: t.Irq + t.Softirq,
			iowait: t.Iowait, steal: t.Steal, idle: t.Idle,
		}
		out.cores = append(out.cores, coreTimes{i, times})
		out.total.user += times.user
		out.total.nice += times.nice
		out.total.system += times.system
		out.total.irq += times.irq
		out.total.iowait += times.iowait
		out.total.steal += times.steal
		out.total.idle += times.idle
	}
	return nil
}
