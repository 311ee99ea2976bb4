//go:build !linux

package collect

import "context"

// pressureSource stands in for what only Linux measures.
type pressureSource struct{}

func newPressureSource(system, hostSeries) *pressureSource { return &pressureSource{} }

func (*pressureSource) name() string { return "pressure" }

func (*pressureSource) collect(context.Context, *round) error {
	return unsupported("only Linux reports pressure")
}
