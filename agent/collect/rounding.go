package collect

import (
	"math"

	"github.com/vitals-rpc/vitals/metric"
)

// Values are rounded to binary fractions, a little finer than the last digit
// that people read of them. A store packs a value by the bits in which it
// differs from the one before; what is below that digit is the jitter of clocks
// and of single pages, and would cost more than all the rest. Decimal fractions
// would cost as much as no rounding: 0.1 has no end in bits.
const (
	// percentStep holds the tenths that top shows.
	percentStep = 1.0 / 16
	// hundredthStep holds the hundredths of a load average: whatever has two
	// decimals has the same two again when it is printed with two.
	hundredthStep = 1.0 / 128
	// useStep, in GB, holds the megabytes that free -m and df -m show.
	useStep = 1.0 / 1024
	// eventStep is a quarter of an event, or of a byte, over a round.
	eventStep = 1.0 / 4
	// rateBits are those of a rate: three digits and a half.
	rateBits = 11
	// smallBits are those that a small share or a small amount keeps, however
	// small: on 64 cores a core's tenth is 0.16 percent.
	smallBits = 8
)

// nearest rounds to a multiple of step, a power of two.
func nearest(value, step float64) float64 { return math.Round(value/step) * step }

// lowestBit is the worth of the last of a value's so many significant bits.
func lowestBit(value float64, bits int) float64 {
	_, exponent := math.Frexp(value)
	return math.Ldexp(1, exponent-bits)
}

// addPercent appends a percentage, to a sixteenth.
func (r *round) addPercent(s *metric.Series, value float64) {
	r.add(s, nearest(value, percentStep))
}

// addShare appends what part of all cores one of many took, in percent: to a
// sixteenth, and finer where it is small.
func (r *round) addShare(s *metric.Series, value float64) {
	r.add(s, nearest(value, min(percentStep, lowestBit(value, smallBits))))
}

// addUse appends how much of something is in use or free, in GB: to a 1024th,
// and finer where it is little.
func (r *round) addUse(s *metric.Series, bytes uint64) {
	value := float64(bytes) / gigabyte
	r.add(s, nearest(value, min(useStep, lowestBit(value, smallBits))))
}

// addHundredths appends a value that has two decimals.
func (r *round) addHundredths(s *metric.Series, value float64) {
	r.add(s, nearest(value, hundredthStep))
}

// addRate appends a growth a second, which was measured over so many seconds:
// to 11 significant bits, but no finer than a quarter of an event over that
// time.
func (r *round) addRate(s *metric.Series, perSecond, seconds float64) {
	_, doublings := math.Frexp(seconds / 1.5)
	step := math.Ldexp(eventStep, -max(0, doublings))
	r.add(s, nearest(perSecond, max(step, lowestBit(perSecond, rateBits))))
}
