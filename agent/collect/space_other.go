//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/disk"
)

// statSpace asks for the space of the file system at path.
func statSpace(ctx context.Context, path string) (space, error) {
	u, err := disk.UsageWithContext(ctx, path)
	if err != nil {
		return space{}, err
	}
	return space{total: u.Total, used: u.Used, available: u.Free}, nil
}
