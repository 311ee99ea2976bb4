package collect

import (
	"context"

	"golang.org/x/sys/unix"
)

// uptimeSeconds is in whole seconds, as people read it and as a store packs it
// best.
func uptimeSeconds(context.Context) (float64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, err
	}
	return float64(ts.Sec), nil
}
