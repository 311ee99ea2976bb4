package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// valueAxis is the axis of values: its range, which ends at ticks, and their
// labels.
type valueAxis struct {
	low, high float64
	ticks     []float64 // from the lowest
	labels    []string
}

// newValueAxis makes an axis that holds low to high with about n steps. What is near
// the greatest number that there is lies beyond its ends, which have to be numbers.
func newValueAxis(low, high float64, unit metric.Unit, n int) valueAxis {
	const most = math.MaxFloat64 / 16
	low, high = max(-most, min(low, most)), max(-most, min(high, most))
	// Steps that are smaller beside the values than a number is exact tell nothing apart.
	least := max(math.Abs(low), math.Abs(high)) * 1e-12
	step := niceStep(max((high-low)/float64(n), least), unit)
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	if last <= first {
		last = first + 1
	}
	a := valueAxis{low: first * step, high: last * step}
	for i := range int(last-first) + 1 {
		a.ticks = append(a.ticks, (first+float64(i))*step)
	}
	a.labels = tickLabels(a.ticks, step, unit)
	return a
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not below
// raw; for durations the least that a clock has.
func niceStep(raw float64, unit metric.Unit) float64 {
	if unit == metric.Seconds && raw > 5 {
		for _, step := range timeSteps {
			if step.Seconds() >= raw {
				return step.Seconds()
			}
		}
	}
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if raw <= f*power*(1+1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// tickLabels writes all ticks alike: one prefix, and as many decimals as tell
// them apart.
func tickLabels(ticks []float64, step float64, unit metric.Unit) []string {
	scale, suffix, stepwise := 1.0, "", false
	switch unit {
	case metric.Percent:
		suffix = "%"
	case metric.GB:
		scale, suffix, stepwise = 1e9, "B", true
	case "bytes":
		suffix, stepwise = "B", true
	case metric.BytesPerSecond:
		suffix, stepwise = "B/s", true
	case metric.CountPerSecond:
		suffix, stepwise = "/s", true
	case metric.Celsius:
		suffix = " °C"
	case metric.Seconds:
		suffix = " s"
	default:
		stepwise = math.Abs(ticks[len(ticks)-1]) >= 1e5
	}
	if stepwise {
		size := max(math.Abs(ticks[0]), math.Abs(ticks[len(ticks)-1])) * scale
		i := 0
		for ; size >= 999.5 && i < len(steps)-1; i++ {
			size /= 1000
			scale /= 1000
		}
		if size >= 999.5 {
			return longLabels(ticks, unit)
		}
		suffix = steps[i] + suffix
		if strings.HasSuffix(suffix, "B") || strings.HasSuffix(suffix, "B/s") {
			suffix = " " + suffix
		}
	}
	if !stepwise && isLong(ticks[0], ticks[len(ticks)-1]) {
		return longLabels(ticks, unit)
	}
	decimals := min(max(0, int(math.Ceil(-math.Log10(step*scale)-1e-9))), 9)
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		labels[i] = strconv.FormatFloat(t*scale, 'f', decimals, 64) + suffix
	}
	if unit == metric.Seconds {
		return durationLabels(ticks, labels)
	}
	return labels
}

// longLabels writes ticks that no prefix makes short, with as many digits as tell
// them apart.
func longLabels(ticks []float64, unit metric.Unit) []string {
	labels := make([]string, len(ticks))
	for digits := range 12 {
		seen := map[string]bool{}
		for i, t := range ticks {
			labels[i] = strconv.FormatFloat(t, 'e', digits, 64)
			if t == 0 {
				labels[i] = "0"
			}
			seen[labels[i]] = true
		}
		if len(seen) == len(ticks) {
			break
		}
	}
	if unit == metric.GB { // the others are named by the legend
		labels[len(labels)-1] += " GB"
	}
	return labels
}

// durationLabels writes long times as 1h 15m, where that tells the ticks apart.
func durationLabels(ticks []float64, plain []string) []string {
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		labels[i] = readableSeconds(t)
		if i > 0 && labels[i] == labels[i-1] {
			return plain
		}
	}
	return labels
}

// width is that of the longest label.
func (a valueAxis) width() int {
	width := 0
	for _, l := range a.labels {
		width = max(width, len([]rune(l)))
	}
	return width
}

// rows are the labels by line of a plot of that height, "" where there is none.
func (a valueAxis) rows(height int) []string {
	rows := make([]string, height)
	for i, t := range a.ticks {
		row := int(math.Round((a.high - t) / (a.high - a.low) * float64(height*4-1)))
		rows[row/4] = a.labels[i]
	}
	return rows
}

// timeSteps are the times between two ticks that people read well.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 180 * day, 365 * day, 5 * 365 * day,
}

// timeAxis writes the line below the plot and its labels. Where the days change
// within the range, their dates are said.
func (c *chart) timeAxis(b *strings.Builder, indent, width int) {
	span := c.end - c.start
	step, layout := c.timeStep(span, width)
	axis := []rune(strings.Repeat("─", width))
	labels := []rune(strings.Repeat(" ", indent+1+width))
	free := 0 // first cell of labels that no label takes
	for t := c.firstTick(step); seconds(t) <= c.end; t = t.Add(step) {
		x := int(math.Round((seconds(t) - c.start) / span * float64(width*2-1) / 2))
		if x < 0 || x >= width {
			continue
		}
		text := []rune(t.Format(layout))
		at := min(indent+1+x-len(text)/2, len(labels)-len(text))
		if at < free {
			continue
		}
		axis[x] = '┬'
		copy(labels[at:], text)
		free = at + len(text) + 2
	}
	b.WriteString(strings.Repeat(" ", indent) + "└" + string(axis) + "\n")
	b.WriteString(strings.TrimRight(string(labels), " ") + "\n")
	from, to := c.at(c.start), c.at(c.end)
	b.WriteString(caption(from, to, indent+1, indent+1+width))
}

// caption says from when to when, as far as there is room: the indentation goes
// first, then the zone, then the year and the seconds.
func caption(from, to time.Time, indent, width int) string {
	end := time.TimeOnly
	if from.YearDay() != to.YearDay() || from.Year() != to.Year() {
		end = time.DateTime
	}
	span := from.Format(time.DateTime) + " to " + to.Format(end)
	zone := to.Format(" MST")
	switch room := width - len(span); {
	case room >= indent+len(zone):
		return strings.Repeat(" ", indent) + span + zone + "\n"
	case room >= len(zone):
		return strings.Repeat(" ", room-len(zone)) + span + zone + "\n"
	case room >= 0:
		return span + "\n"
	case end == time.TimeOnly:
		return from.Format("15:04:05") + " to " + to.Format("15:04:05") + "\n"
	}
	return from.Format("Jan _2 15:04") + " to\n" + to.Format("Jan _2 15:04") + "\n"
}

// timeStep is the least step whose labels have room, and how to write them.
func (c *chart) timeStep(span float64, width int) (time.Duration, string) {
	for _, step := range timeSteps {
		layout := timeLayout(step, span)
		if room := step.Seconds() / span * float64(width); room >= float64(len(layout)+3) {
			return step, layout
		}
	}
	return timeSteps[len(timeSteps)-1], "2006"
}

func timeLayout(step time.Duration, span float64) string {
	switch {
	case step >= 365*day:
		return "2006"
	case step >= 30*day:
		return "Jan 2006"
	case step >= day:
		return "Jan _2"
	case span > day.Seconds():
		return "Jan _2 15:04"
	case step < time.Minute:
		return time.TimeOnly
	}
	return "15:04"
}

// firstTick is the first time in the range that is a whole number of steps, by
// the clock on the wall.
func (c *chart) firstTick(step time.Duration) time.Time {
	start := c.at(c.start)
	_, offset := start.Zone()
	size := int64(step / time.Second)
	wall := start.Unix() + int64(offset)
	return time.Unix((wall+size-1)/size*size-int64(offset), 0).In(c.location)
}

func (c *chart) at(s float64) time.Time { return time.UnixMilli(int64(s * 1000)).In(c.location) }
