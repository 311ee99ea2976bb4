package collect

import (
	"context"
	"os"
	"strings"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
)

type diskIOReader struct {
	file  procFile
	block string // the folder of all block devices
	disks []procfs.Disk
}

func newDiskIOReader(sys system) *diskIOReader {
	return &diskIOReader{
		file:  procFile{path: sys.proc + "/diskstats"},
		block: sys.sys + "/class/block/",
	}
}

func (d *diskIOReader) read(_ context.Context, out []counterReading) ([]counterReading, error) {
	text, err := d.file.read()
	if err != nil {
		return out, err
	}
	if d.disks, err = procfs.ParseDiskstats(text, d.disks[:0]); err != nil {
		return out, err
	}
	for _, disk := range d.disks {
		out = append(out, counterReading{disk.Name, [columns]uint64{
			disk.ReadBytes, disk.WriteBytes, disk.Reads, disk.Writes, disk.BusyMillis,
		}})
	}
	return out, nil
}

func (d *diskIOReader) ignore(name string) bool {
	if strings.HasPrefix(name, "loop") || strings.HasPrefix(name, "ram") || strings.HasPrefix(name, "zram") {
		return true
	}
	// In /sys a name's slash is an exclamation mark.
	_, err := os.Stat(d.block + strings.ReplaceAll(name, "/", "!") + "/partition")
	return err == nil
}
