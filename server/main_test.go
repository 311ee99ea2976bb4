package server_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine: what a server starts for a caller ends with it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
