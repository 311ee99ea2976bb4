package main

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// chartSeries is how many series a chart shows: more cannot be told apart.
const chartSeries = 10

// chartColours are the lines' colours, of the terminal's own sixteen.
var chartColours = [chartSeries]string{"36", "33", "32", "35", "34", "31", "96", "93", "92", "95"}

// chartLine is one series: values over times in seconds since the epoch, which
// ascend.
type chartLine struct {
	labels        map[string]string
	unit          string
	times, values []float64
}

// chart draws series over time as text.
type chart struct {
	// width is in cells, of everything; height in lines, of the plot alone.
	width, height int
	// colour tells lines apart by colour; else letters stand at their ends.
	colour bool
	// start and end are the range, in seconds since the epoch.
	start, end float64
	// step is the time between two points; 0: the least there is.
	step     float64
	location *time.Location
	lines    []chartLine
}

// draw writes the plot, its axes and a legend.
func (c *chart) draw() string {
	shown := c.lines[:min(len(c.lines), chartSeries)]
	low, high := extent(shown)
	y := newValueAxis(low, high, commonUnit(shown), max(2, c.height/4))
	gutter := y.width()
	plot := newBraille(max(8, c.width-gutter-2), c.height)
	for i, line := range shown {
		c.plot(plot, line, i, y)
	}
	var b strings.Builder
	labels := y.rows(c.height)
	for row := range c.height {
		tick := "│"
		if labels[row] != "" {
			tick = "┤"
		}
		b.WriteString(padLeft(labels[row], gutter) + " " + tick)
		b.WriteString(strings.TrimRight(plot.row(row, c.colour), " ") + "\n")
	}
	c.timeAxis(&b, gutter+1, plot.width)
	c.legend(&b, shown)
	return b.String()
}

// plot draws a line, broken where points are missing.
func (c *chart) plot(plot *braille, line chartLine, owner int, y valueAxis) {
	step := c.step
	if step <= 0 {
		step = leastGap(line.times)
	}
	lastX, lastY, lastTime := 0, 0, math.Inf(-1)
	for i, t := range line.times {
		v := line.values[i]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			lastTime = math.Inf(-1)
			continue
		}
		px := int(math.Round((t - c.start) / (c.end - c.start) * float64(plot.width*2-1)))
		v = max(y.low, min(v, y.high)) // the axis may end before numbers do
		py := int(math.Round((y.high - v) / (y.high - y.low) * float64(plot.height*4-1)))
		if t-lastTime <= 1.5*step {
			plot.segment(lastX, lastY, px, py, owner)
		} else {
			plot.set(px, py, owner)
		}
		lastX, lastY, lastTime = px, py, t
	}
	if !math.IsInf(lastTime, -1) || len(line.times) > 0 {
		plot.mark(lastX/2, lastY/4, owner)
	}
}

// leastGap is the least time between two points, or 0.
func leastGap(times []float64) float64 {
	least := math.Inf(1)
	for i := 1; i < len(times); i++ {
		least = min(least, times[i]-times[i-1])
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}

// extent is the least and the greatest value. It begins at zero unless that would
// flatten the lines.
func extent(lines []chartLine) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, line := range lines {
		for _, v := range line.values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	switch {
	case low > high:
		return 0, 1
	case low >= 0 && low <= high/2:
		low = 0
	case high <= 0 && high >= low/2:
		high = 0
	}
	if low == high {
		pad := max(math.Abs(low)/10, 1e-9)
		if low == 0 {
			pad = 1
		}
		return min(low, max(0, low-pad)), high + pad
	}
	return low, high
}

// commonUnit is the unit of all lines, or none if they differ.
func commonUnit(lines []chartLine) metric.Unit {
	for _, line := range lines {
		if line.unit != lines[0].unit {
			return ""
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return metric.Unit(lines[0].unit)
}

// legend names the lines, with what one asks of each. What all names share is
// said once, above them.
func (c *chart) legend(b *strings.Builder, shown []chartLine) {
	const fact, leastName = 10, 12
	shared := sharedLabels(shown)
	facts := []string{"last", "least", "greatest"}
	for _, fewer := range [][]string{facts[:1], nil} {
		if c.width-3-len(facts)*(fact+1) < leastName {
			facts = fewer // the terminal is narrow
		}
	}
	room := max(1, c.width-3-len(facts)*(fact+1))
	head := ""
	if len(shared) > 0 {
		head = plainText(promName(shared))
	}
	b.WriteString("   " + padRight(head, room))
	for _, name := range facts {
		b.WriteString(" " + padLeft(name, fact))
	}
	b.WriteString("\n")
	for i, line := range shown {
		marker := c.paint(i, "━━")
		if !c.colour {
			marker = lineLetter(i) + " "
		}
		low, high, last := math.Inf(1), math.Inf(-1), math.NaN()
		for _, v := range line.values {
			if !math.IsNaN(v) {
				low, high, last = min(low, v), max(high, v), v
			}
		}
		own := map[string]string{}
		for name, value := range line.labels {
			if _, ok := shared[name]; !ok {
				own[name] = value
			}
		}
		fmt.Fprintf(b, "%s %s", marker, padRight(plainText(promName(own)), room))
		for _, v := range []float64{last, low, high}[:len(facts)] {
			text := ""
			if !math.IsNaN(last) {
				text = readable(v, metric.Unit(line.unit))
			}
			b.WriteString(" " + padLeft(text, fact))
		}
		b.WriteString("\n")
	}
	if more := len(c.lines) - len(shown); more > 0 {
		text := fmt.Sprintf("and %d more series: choose fewer by labels or an aggregation, or see all with -o table", more)
		b.WriteString(wrapped(text, c.width) + "\n")
	}
}

// wrapped breaks a text into lines of at most so many letters, between words.
func wrapped(text string, width int) string {
	var b strings.Builder
	at := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case at == 0:
		case at+1+len(word) > width:
			b.WriteString("\n")
			at = 0
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

// sharedLabels are the labels that all of several lines have alike.
func sharedLabels(lines []chartLine) map[string]string {
	if len(lines) < 2 {
		return nil
	}
	shared := maps.Clone(lines[0].labels)
	for _, line := range lines[1:] {
		maps.DeleteFunc(shared, func(name, value string) bool {
			own, ok := line.labels[name]
			return !ok || own != value
		})
	}
	return shared
}

func (c *chart) paint(line int, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + chartColours[line] + "m" + text + "\x1b[0m"
}

func lineLetter(i int) string { return string(rune('a' + i)) }

// braille is a plot of cells with two by four dots each.
type braille struct {
	width, height int // in cells
	dots          []rune
	owner         []int // the line that a cell shows, -1 for none
	letters       []int // the line whose letter stands there, -1 for none
}

func newBraille(width, height int) *braille {
	p := &braille{width: width, height: height, dots: make([]rune, width*height), owner: make([]int, width*height), letters: make([]int, width*height)}
	for i := range p.owner {
		p.owner[i], p.letters[i] = -1, -1
	}
	return p
}

// brailleBits are the dots of a cell, by row and column.
var brailleBits = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// set puts a dot; what lies outside is not drawn.
func (p *braille) set(x, y, owner int) {
	if x < 0 || y < 0 || x >= p.width*2 || y >= p.height*4 {
		return
	}
	cell := y/4*p.width + x/2
	p.dots[cell] |= brailleBits[y%4][x%2]
	p.owner[cell] = owner
}

// segment draws a straight line between two dots.
func (p *braille) segment(x0, y0, x1, y1, owner int) {
	n := max(abs(x1-x0), abs(y1-y0), 1)
	for i := range n + 1 {
		f := float64(i) / float64(n)
		p.set(x0+int(math.Round(f*float64(x1-x0))), y0+int(math.Round(f*float64(y1-y0))), owner)
	}
}

func abs(n int) int { return max(n, -n) }

// mark puts a line's letter at a cell.
func (p *braille) mark(x, y, owner int) {
	if x >= 0 && y >= 0 && x < p.width && y < p.height {
		p.letters[y*p.width+x] = owner
	}
}

// row is a line of text: coloured dots, or dots and letters.
func (p *braille) row(y int, colour bool) string {
	var b strings.Builder
	last := -1
	for x := range p.width {
		cell := y*p.width + x
		owner := p.owner[cell]
		if colour && owner != last {
			if last >= 0 {
				b.WriteString("\x1b[0m")
			}
			if owner >= 0 {
				b.WriteString("\x1b[" + chartColours[owner] + "m")
			}
			last = owner
		}
		switch {
		case !colour && p.letters[cell] >= 0:
			b.WriteString(lineLetter(p.letters[cell]))
		case owner >= 0:
			b.WriteRune(0x2800 + p.dots[cell])
		default:
			b.WriteByte(' ')
		}
	}
	if last >= 0 && colour {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}
