package main

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/vitals-rpc/vitals/metric"
)

// topReading is a sample as the stream brings it.
type topReading struct {
	series *metric.Series
	unit   metric.Unit
	time   int64 // milliseconds since the epoch
	value  float64
}

// topPoint is one value of a track.
type topPoint struct {
	time  int64
	value float64
}

// topTrack is the last minutes of one series.
type topTrack struct {
	series *metric.Series
	unit   metric.Unit
	points []topPoint // oldest first, never empty
}

func (t *topTrack) last() topPoint { return t.points[len(t.points)-1] }

func (t *topTrack) add(r topReading) bool {
	if len(t.points) > 0 && r.time <= t.last().time {
		return false
	}
	if len(t.points) == trackPoints {
		t.points = slices.Delete(t.points, 0, 1)
	}
	t.points = append(t.points, topPoint{r.time, r.value})
	return true
}

// fill puts points of the past, each of which stands for the milliseconds of step
// from its time on, where the track has none.
func (t *topTrack) fill(past []topPoint, step int64) {
	all := t.points
	for _, p := range past {
		i, _ := slices.BinarySearchFunc(all, p.time, func(q topPoint, at int64) int { return cmp.Compare(q.time, at) })
		if i == len(all) || all[i].time-p.time >= step {
			all = slices.Insert(all, i, p)
		}
	}
	t.points = all[max(0, len(all)-trackPoints):]
}

// step is the time between two points, at least a second.
func (t *topTrack) step() int64 {
	step := int64(math.MaxInt64)
	for i := 1; i < len(t.points); i++ {
		step = min(step, t.points[i].time-t.points[i-1].time)
	}
	if step == math.MaxInt64 {
		return 1000
	}
	// Rounds are not to the millisecond; a little more leaves no column empty.
	return max(1000, (step+499)/500*500)
}

// columns are the means over width equal spans of time up to the newest point;
// NaN where nothing was observed. A single span that was just missed is taken
// for the one before.
func (t *topTrack) columns(width int) []float64 {
	step := t.step()
	end := t.last().time / step
	sums, counts := make([]float64, width), make([]float64, width)
	for _, p := range t.points {
		if i := width - 1 - int(end-p.time/step); i >= 0 {
			sums[i] += p.value
			counts[i]++
		}
	}
	out := make([]float64, width)
	for i := range out {
		out[i] = sums[i] / counts[i] // 0/0 is NaN, as it should be
		if counts[i] == 0 && i > 0 && counts[i-1] > 0 {
			out[i] = out[i-1]
		}
	}
	return out
}

// spark draws the track in width cells: percentages from 0 to 100, others from 0
// to the greatest that is seen.
func (t *topTrack) spark(width int) string {
	if t == nil || width <= 0 {
		return strings.Repeat(" ", max(0, width))
	}
	values := t.columns(width)
	high := 100.0
	if t.unit != metric.Percent {
		high = 0
		for _, v := range values {
			if v > high {
				high = v
			}
		}
	}
	var b strings.Builder
	for _, v := range values {
		if math.IsNaN(v) {
			b.WriteByte(' ')
			continue
		}
		b.WriteString(bars([]float64{v}, 0, high))
	}
	return b.String()
}

// labelText is the values of a series' labels, which is enough where the type is
// known.
func labelText(s *metric.Series) string {
	var out []string
	for _, l := range s.Labels {
		out = append(out, l.Value)
	}
	return strings.Join(out, " ")
}

// naturalCompare orders texts so that 2 comes before 10.
func naturalCompare(a, b string) int {
	if a != "" && b != "" && len(a) != len(b) && isDigits(a) && isDigits(b) {
		return cmp.Compare(len(a), len(b))
	}
	return strings.Compare(a, b)
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
