package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type cpuReader struct {
	file procFile
	stat procfs.Stat
}

func newCPUReader(sys system) *cpuReader {
	return &cpuReader{file: procFile{path: sys.proc + "/stat"}}
}

func (c *cpuReader) read(_ context.Context, out *cpuReading) error {
	text, err := c.file.read()
	if err != nil {
		return err
	}
	if err := procfs.ParseStat(text, &c.stat); err != nil {
		return err
	}
	out.total = fromTicks(c.stat.Total)
	out.cores = out.cores[:0]
	for _, core := range c.stat.Cores {
		out.cores = append(out.cores, coreTimes{core.ID, fromTicks(core.Ticks)})
	}
	return nil
}

func fromTicks(t procfs.CPUTicks) cpuTimes {
	return cpuTimes{
		user:   float64(t.User),
		nice:   float64(t.Nice),
		system: float64(t.System),
		irq:    float64(t.IRQ) + float64(t.SoftIRQ),
		iowait: float64(t.IOWait),
		steal:  float64(t.Steal),
		idle:   float64(t.Idle),
	}
}
