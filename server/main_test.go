package server_test

import (
	"flag"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine: what a server starts for a caller ends with it.
// Those that run beside each other wait more than they compute. They begin when the
// others are done, which may look at all that the process does.
func TestMain(m *testing.M) {
	flag.Parse()
	if runtime.GOMAXPROCS(0) < 6 {
		_ = flag.Set("test.parallel", "6") // the testing package has that flag
	}
	goleak.VerifyTestMain(m)
}
