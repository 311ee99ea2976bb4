package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/metric"
)

// sampleWriter shows samples as they come.
type sampleWriter interface {
	write(*monitoring.MetricResponse) error
	interrupt() // other output follows
	close()
}

// newSampleWriter draws on a terminal, and writes a line a sample elsewhere.
func newSampleWriter(out io.Writer, output string) sampleWriter {
	if output == "json" {
		return lineWriter{out, func(res *monitoring.MetricResponse) error { return printJSON(out, res) }}
	}
	if isTerminal(out) && os.Getenv("TERM") != "dumb" {
		return &sparkline{out: out, width: func() int {
			width, _, err := term.GetSize(int(out.(*os.File).Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}}
	}
	return lineWriter{out, func(res *monitoring.MetricResponse) error {
		_, err := fmt.Fprintln(out, formatLine(res))
		return err
	}}
}

type lineWriter struct {
	out   io.Writer
	print func(*monitoring.MetricResponse) error
}

func (w lineWriter) write(res *monitoring.MetricResponse) error { return w.print(res) }
func (w lineWriter) interrupt()                                 {}
func (w lineWriter) close()                                     {}

// sparkline draws the last samples over and over on one line of a terminal.
type sparkline struct {
	out    io.Writer
	width  func() int
	values []float64
	open   bool // the cursor stands in the line
}

func (s *sparkline) write(res *monitoring.MetricResponse) error {
	s.values = append(s.values, res.GetValue())
	head := fmt.Sprintf("%s %s ", res.GetHostname(), res.GetMetricType())
	tail := fmt.Sprintf(" %s %s", formatValue(res.GetValue()), res.GetUnit())
	room := max(1, s.width()-len(head)-len(tail)-1)
	if len(s.values) > room {
		s.values = slices.Delete(s.values, 0, len(s.values)-room)
	}
	low, high := scale(s.values, metric.Unit(res.GetUnit()))
	s.open = true
	// Back to the line's start, the line, and clear what is left of the old one.
	_, err := fmt.Fprintf(s.out, "\r%s%s%s\x1b[K", head, bars(s.values, low, high), tail)
	return err
}

func (s *sparkline) interrupt() {
	if s.open {
		fmt.Fprintln(s.out)
	}
	s.open = false
}

func (s *sparkline) close() { s.interrupt() }

// scale is the range that the bars span: all of it for a percentage, and
// otherwise what was seen.
func scale(values []float64, unit metric.Unit) (low, high float64) {
	if unit == metric.Percent {
		return 0, 100
	}
	return slices.Min(values), slices.Max(values)
}

// bars draws each value as a block between low and high.
func bars(values []float64, low, high float64) string {
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		level := 0
		if high > low {
			level = int((v - low) / (high - low) * float64(len(blocks)-1))
		}
		b.WriteRune(blocks[min(max(level, 0), len(blocks)-1)])
	}
	return b.String()
}
