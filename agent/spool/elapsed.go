package spool

import "time"

// started begins Go's own clock that nobody sets.
var started = time.Now()
