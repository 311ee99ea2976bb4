package client_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Neither a call nor a client that is closed may leave a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
