//go:build !linux

package spool

import "time"

// sinceBoot is a clock that nobody sets. On some systems it stands still in a
// suspend; records then stay for as much longer.
func sinceBoot() time.Duration { return time.Since(started) }
