//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/host"
)

// uptimeSeconds is in whole seconds.
func uptimeSeconds(ctx context.Context) (float64, error) {
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return 0, orUnsupported(err)
	}
	return float64(seconds), nil
}
