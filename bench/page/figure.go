package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/vitals-rpc/vitals/bench/internal/result"
)

// spread writes values as their median and, in brackets, the least and the
// greatest.
func spread(values []float64, format string) string {
	if len(values) == 0 {
		return "none"
	}
	f := func(v float64) string { return fmt.Sprintf(format, v) }
	return fmt.Sprintf("%s (%s to %s)", f(result.Median(values)), f(slices.Min(values)), f(slices.Max(values)))
}

// noAim is the aim of what has none.
var noAim = math.NaN()

// most adds a row of values whose median ought to be at most aim.
func (b *bench) most(what string, values []float64, format string, aim float64) {
	verdict, beside := "", ""
	if !math.IsNaN(aim) {
		verdict, beside = result.AtMost(result.Median(values), aim), fmt.Sprintf("aim at most "+format, aim)
	}
	b.table.Add(what, spread(values, format), beside, verdict)
}
