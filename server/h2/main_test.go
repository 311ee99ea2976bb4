package h2_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No connection, however it ends, may leave a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
