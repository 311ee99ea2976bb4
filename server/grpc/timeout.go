package grpc

import (
	"math"
	"strconv"
	"time"

	"connectrpc.com/connect/v2"
)

// timeoutUnits are what the last letter of grpc-timeout means.
var timeoutUnits = map[byte]time.Duration{
	'n': time.Nanosecond, 'u': time.Microsecond, 'm': time.Millisecond,
	'S': time.Second, 'M': time.Minute, 'H': time.Hour,
}

// longestTimeout is how many digits one may have.
const longestTimeout = 8

// parseTimeout reads grpc-timeout; ok is false where there is none, or one that is
// beyond all time.
//
// Error: INVALID_ARGUMENT.
func parseTimeout(text string) (timeout time.Duration, ok bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	digits := text[:len(text)-1]
	unit := timeoutUnits[text[len(text)-1]]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || unit == 0 || len(digits) > longestTimeout {
		return 0, false, connect.Errorf(connect.CodeInvalidArgument, "the grpc-timeout %.20q is not one to eight digits and a unit of H, M, S, m, u or n", text)
	}
	if n > uint64(math.MaxInt64/unit) {
		return 0, false, nil
	}
	return time.Duration(n) * unit, true, nil //nolint:gosec // it fits, as was just seen
}
