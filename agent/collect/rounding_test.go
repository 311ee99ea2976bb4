package collect

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/vitals-rpc/vitals/metric"
)

// rounded is what add makes of a value.
func rounded(t *testing.T, add func(*round, *metric.Series)) float64 {
	t.Helper()
	var r round
	add(&r, metric.NewSeries("cpu", "h", nil))
	if len(r.samples) != 1 {
		t.Fatalf("samples: %v", r.samples)
	}
	return r.samples[0].Value
}

func TestPercentagesKeepTheirTenths(t *testing.T) {
	f := func(value, want float64) {
		t.Helper()
		if got := rounded(t, func(r *round, s *metric.Series) { r.addPercent(s, value) }); got != want {
			t.Errorf("%v becomes %v, want %v", value, got, want)
		}
	}
	for _, whole := range []float64{0, 0.5, 1, 12.5, 50, 99, 100} {
		f(whole, whole)
	}
	f(200.0/3, 66.6875)
	f(50.0/201*2, 0.5) // the kernel's ticks are not quite a second's
	f(99.9999, 100)
}

func TestSmallSharesAndAmountsKeepTheirDigits(t *testing.T) {
	f := func(value, within float64, add func(*round, *metric.Series)) {
		t.Helper()
		if got := rounded(t, add); math.Abs(got-value) > within {
			t.Errorf("%v becomes %v", value, got)
		}
	}
	for value := 1e-4; value <= 100; value *= 1.3 {
		f(value, min(1.0/32, value/256), func(r *round, s *metric.Series) { r.addShare(s, value) })
	}
	for bytes := uint64(4096); bytes < 1e14; bytes = bytes*5/4 + 4096 {
		value := float64(bytes) / 1e9
		f(value, min(1.0/2048, value/256), func(r *round, s *metric.Series) { r.addUse(s, bytes) })
	}
}

// What the kernel says in two decimals must be printed as the kernel does.
func TestHundredthsComeBack(t *testing.T) {
	for hundredths := range 100_000 {
		value := float64(hundredths) / 100
		got := rounded(t, func(r *round, s *metric.Series) { r.addHundredths(s, value) })
		if want := fmt.Sprintf("%.2f", value); fmt.Sprintf("%.2f", got) != want {
			t.Fatalf("%s becomes %v", want, got)
		}
	}
}

func TestRates(t *testing.T) {
	f := func(events, seconds, want float64) {
		t.Helper()
		if got := rounded(t, func(r *round, s *metric.Series) { r.addRate(s, events/seconds, seconds) }); got != want {
			t.Errorf("%v in %v s becomes %v, want %v", events, seconds, got, want)
		}
	}
	f(0, 1, 0)
	f(3, 1.002, 3) // a timer that was late does not break whole events
	f(3, 0.998, 3)
	f(1, 1.03, 1)
	f(500, 1.0001, 500)
	f(1, 10, 0.09375) // one event is seen over long rounds, too
	f(1, 60, 0.015625)
	f(10, 0.1, 100)
	for rate := 100.0; rate < 1e12; rate *= 1.3 {
		got := rounded(t, func(r *round, s *metric.Series) { r.addRate(s, rate, 1) })
		if math.Abs(got-rate) > max(0.125, rate/2048) {
			t.Errorf("%v becomes %v", rate, got)
		}
	}
}

// The point of it: few bits are left to differ.
func TestRoundedValuesHaveFewBits(t *testing.T) {
	f := func(most int, add func(*round, *metric.Series)) {
		t.Helper()
		value := rounded(t, add)
		if got := 64 - bits.TrailingZeros64(math.Float64bits(value)) - 12; got > most {
			t.Errorf("%v has %d bits in its fraction", value, got)
		}
	}
	f(6+4, func(r *round, s *metric.Series) { r.addPercent(s, 200.0/3) })
	f(7+7, func(r *round, s *metric.Series) { r.addHundredths(s, 66.66) })
	f(10, func(r *round, s *metric.Series) { r.addRate(s, 123456.789, 1) })
	f(4+10, func(r *round, s *metric.Series) { r.addUse(s, 23_456_789_012) })
}

func TestRoundingLeavesOutWhatIsNotFinite(t *testing.T) {
	var r round
	series := metric.NewSeries("cpu", "h", nil)
	zero := 0.0
	for _, value := range []float64{zero / zero, 1 / zero, -1 / zero} {
		r.addPercent(series, value)
		r.addShare(series, value)
		r.addHundredths(series, value)
		r.addRate(series, value, 1)
	}
	r.addRate(series, 1/zero, zero)
	if len(r.samples) != 0 {
		t.Errorf("samples: %v", r.samples)
	}
}
