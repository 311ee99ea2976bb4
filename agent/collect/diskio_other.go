//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/disk"
)

type diskIOReader struct{}

func newDiskIOReader(system) *diskIOReader { return &diskIOReader{} }

func (*diskIOReader) read(ctx context.Context, out []counterReading) ([]counterReading, error) {
	disks, err := disk.IOCountersWithContext(ctx)
	if err != nil {
		return out, orUnsupported(err)
	}
	for name, d := range disks {
		out = append(out, counterReading{[]byte(name), [columns]uint64{
			d.ReadBytes, d.WriteBytes, d.ReadCount, d.WriteCount, d.IoTime,
		}})
	}
	return out, nil
}

func (*diskIOReader) ignore(string) bool { return false }
