package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/vitals-rpc/vitals/metric"
)

// ramp is a series of n points a second apart that go up from 0 by one.
func ramp(n int, labels ...string) chartLine {
	line := chartLine{labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		line.labels[labels[i]] = labels[i+1]
	}
	for i := range n {
		line.times = append(line.times, float64(chartStart+i))
		line.values = append(line.values, float64(i))
	}
	return line
}

// chartStart is 2026-11-22 14:00:00 UTC.
const chartStart = 1795356000

func drawn(seconds int, lines ...chartLine) string {
	c := chart{width: 60, height: 5, start: chartStart, end: float64(chartStart + seconds), step: 1, location: time.UTC, lines: lines}
	return c.draw()
}

func TestChart(t *testing.T) {
	got := drawn(10, ramp(11, "__name__", "cpu", "hostname", "web-1"))
	want := strings.Join([]string{
		"10 ┤                                              ⣀⣀⣀⠤⠤⠔⠒⠒⠊a",
		"   │                                   ⣀⣀⣀⠤⠤⠔⠒⠒⠊⠉⠉",
		" 5 ┤                     ⣀⣀⣀⣀⠤⠤⠤⠤⠔⠒⠒⠊⠉⠉",
		"   │          ⣀⣀⡠⠤⠤⠔⠒⠒⠉⠉⠉",
		" 0 ┤⣀⡠⠤⠤⠔⠒⠒⠉⠉⠉",
		"   └┬──────────┬──────────┬──────────┬──────────┬───────────",
		"14:00:00   14:00:02   14:00:04   14:00:06   14:00:08",
		"    2026-11-22 14:00:00 to 14:00:10 UTC",
		"                                  last      least   greatest",
		`a  cpu{hostname="web-1"}            10          0         10`,
		"",
	}, "\n")
	if got != want {
		t.Errorf("drawn is\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > 60 {
			t.Errorf("%d cells: %q", w, line)
		}
	}
}

// Where points are missing there is no line, and what is no number is left out.
func TestChartGaps(t *testing.T) {
	line := ramp(11, "__name__", "x")
	for i := range line.values {
		line.values[i] = 5
	}
	whole := strings.Count(drawn(10, line), "⠤") + strings.Count(drawn(10, line), "⣀") + strings.Count(drawn(10, line), "⠒") + strings.Count(drawn(10, line), "⠉")
	line.times, line.values = slices.Delete(line.times, 3, 8), slices.Delete(line.values, 3, 8)
	line.values[0] = math.NaN()
	gap := drawn(10, line)
	if part := strings.Count(gap, "⠤") + strings.Count(gap, "⣀") + strings.Count(gap, "⠒") + strings.Count(gap, "⠉"); part > whole/2 || part == 0 {
		t.Errorf("%d of %d cells are drawn:\n%s", part, whole, gap)
	}
	// Nothing but gaps, or nothing at all, still draws.
	for _, line := range []chartLine{{}, {times: []float64{chartStart}, values: []float64{math.Inf(1)}}, {times: []float64{chartStart}, values: []float64{-3}}} {
		if got := drawn(10, line); !strings.Contains(got, "└") {
			t.Errorf("%+v draws %s", line, got)
		}
	}
}

func TestChartOfManySeries(t *testing.T) {
	var lines []chartLine
	for i := range 13 {
		lines = append(lines, ramp(11, "__name__", "cpu", "hostname", "web-"+strconv.Itoa(i)))
	}
	got := drawn(10, lines...)
	// What all have alike is said once.
	if strings.Count(got, "cpu") != 1 || !strings.Contains(got, `j  {hostname="web-9"}`) || strings.Contains(got, "web-10") {
		t.Errorf("the legend is wrong:\n%s", got)
	}
	if !strings.Contains(got, "and 3 more series") {
		t.Errorf("what is left out is not said:\n%s", got)
	}
	c := chart{width: 60, height: 5, colour: true, start: chartStart, end: chartStart + 10, location: time.UTC, lines: lines[:2]}
	if got := c.draw(); !strings.Contains(got, "\x1b[36m━━\x1b[0m") || !strings.Contains(got, "\x1b[33m━━\x1b[0m") {
		t.Errorf("two series have not two colours: %q", got)
	}
}

// On a narrow terminal nothing is wider than it, and what goes first is what one
// misses least.
func TestChartOfEachWidth(t *testing.T) {
	draw := func(width, seconds int, lines ...chartLine) string {
		t.Helper()
		c := chart{width: width, height: 5, start: chartStart, end: float64(chartStart + seconds), step: 1, location: time.UTC, lines: lines}
		got := c.draw()
		for line := range strings.Lines(got) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%d cells of %d: %q", w, width, line)
			}
		}
		return got
	}
	var lines []chartLine
	for i := range 13 {
		lines = append(lines, ramp(11, "__name__", "process_resident_memory_bytes", "hostname", "web-"+strconv.Itoa(i)+".example.com"))
	}
	for width := 20; width <= 100; width++ {
		for _, seconds := range []int{10, 3600, 400_000, 400_000_000} {
			draw(width, seconds, lines...)
		}
	}
	f := func(width int, want, not string) {
		t.Helper()
		if got := draw(width, 10, lines[0]); !strings.Contains(got, want) || not != "" && strings.Contains(got, not) {
			t.Errorf("at %d columns:\n%s", width, got)
		}
	}
	f(60, "greatest", "")
	f(40, "last", "greatest")
	f(20, "14:00:00 to 14:00:10", "last")
}

// Numbers that nobody would write out are written by their power of ten.
func TestChartOfLongNumbers(t *testing.T) {
	for _, unit := range []string{"", "percent", "GB", "bytes", "bytes_per_second", "count_per_second", "celsius", "seconds", "jobs"} {
		for _, v := range []float64{1e15, 1e18, 1e17 + 16, 1e22, 1e300, math.MaxFloat64} {
			for _, low := range []float64{v / 2, v, math.Nextafter(v, 0), -v, 0} {
				line := ramp(2)
				line.unit, line.values = unit, []float64{low, v}
				c := chart{width: 60, height: 12, start: chartStart, end: chartStart + 1, step: 1, location: time.UTC, lines: []chartLine{line}}
				got := c.draw()
				for line := range strings.Lines(got) {
					if at := strings.IndexAny(line, "┤│"); ansi.StringWidth(line) > 60 || at > 24 {
						t.Fatalf("from %v to %v %s:\n%s", low, v, unit, got)
					}
				}
			}
		}
	}
	if got := newValueAxis(0, 2e300, metric.Percent, 2).labels; !slices.Equal(got, []string{"0", "1e+300", "2e+300"}) {
		t.Errorf("%q", got)
	}
}

func TestValueAxis(t *testing.T) {
	f := func(low, high float64, unit metric.Unit, want ...string) {
		t.Helper()
		a := newValueAxis(low, high, unit, 4)
		if !slices.Equal(a.labels, want) || a.low > low+1e-9 || a.high < high-1e-9 {
			t.Errorf("from %v to %v %s: %q from %v to %v, want %q", low, high, unit, a.labels, a.low, a.high, want)
		}
	}
	f(0, 100, metric.Percent, "0%", "50%", "100%")
	f(0, 1, "", "0.0", "0.5", "1.0")
	f(12.2, 12.6, metric.GB, "12.2 GB", "12.3 GB", "12.4 GB", "12.5 GB", "12.6 GB")
	f(0, 3.2e6, metric.BytesPerSecond, "0 MB/s", "1 MB/s", "2 MB/s", "3 MB/s", "4 MB/s")
	f(0, 0.004, metric.GB, "0 MB", "1 MB", "2 MB", "3 MB", "4 MB")
	f(0, 40, metric.CountPerSecond, "0/s", "10/s", "20/s", "30/s", "40/s")
	f(4500, 5000, metric.Seconds, "1h 15m", "1h 20m", "1h 25m")
	f(-3, 3, "", "-4", "-2", "0", "2", "4")
	f(0, 4e6, metric.Count, "0M", "1M", "2M", "3M", "4M")
}

// The labels of the time axis fit, stand in order and are whole steps.
func TestTimeAxis(t *testing.T) {
	f := func(span time.Duration, want ...string) {
		t.Helper()
		c := chart{start: chartStart + 7, end: chartStart + 7 + span.Seconds(), location: time.UTC}
		var b strings.Builder
		c.timeAxis(&b, 5, 70)
		lines := strings.Split(b.String(), "\n")
		var got []string
		for label := range strings.SplitSeq(lines[1], "  ") {
			if label = strings.TrimSpace(label); label != "" {
				got = append(got, label)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("over %s: %q, want %q", span, got, want)
		}
		if strings.Count(lines[0], "┬") != len(want) {
			t.Errorf("over %s: %s", span, lines[0])
		}
	}
	f(time.Minute, "14:00:10", "14:00:20", "14:00:30", "14:00:40", "14:00:50", "14:01:00")
	f(time.Hour, "14:10", "14:20", "14:30", "14:40", "14:50", "15:00")
	f(24*time.Hour, "15:00", "18:00", "21:00", "00:00", "03:00", "06:00", "09:00", "12:00")
	f(7*24*time.Hour, "Nov 23", "Nov 24", "Nov 25", "Nov 26", "Nov 27", "Nov 28", "Nov 29")
}
