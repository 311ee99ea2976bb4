//go:build !linux

package collect

import (
	"context"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"
)

// mountLister lists the file systems that are worth measuring.
type mountLister struct{}

func newMountLister(system) *mountLister { return &mountLister{} }

func (*mountLister) list(ctx context.Context) ([]mount, error) {
	partitions, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, orUnsupported(err)
	}
	var listing []mounted
	for _, p := range partitions {
		// The parts that macOS makes of its own volume share its space.
		if strings.HasPrefix(p.Mountpoint, "/System/Volumes/") && p.Mountpoint != "/System/Volumes/Data" {
			continue
		}
		listing = append(listing, mounted{point: p.Mountpoint, device: p.Device, fsType: p.Fstype})
	}
	return chooseMounts(listing, func(string) bool { return true }), nil
}
