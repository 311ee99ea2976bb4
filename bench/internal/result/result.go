// Package result collects what was measured, prints each number as it comes and
// keeps all of them in a file, with the machine that they were measured on.
package result

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is one line of the result.
type row struct {
	what, value, peer string
	// verdict is "met", "missed", or empty where there is no aim.
	verdict string
}

// Table collects rows and prints each as it comes, for a person who waits. One
// goroutine uses it.
type Table struct {
	// Progress is where rows are printed as they come.
	Progress io.Writer

	rows []row
}

// Add adds a row: what was measured, its value, what stands beside it, and the
// verdict, empty where there is no aim.
func (t *Table) Add(what, value, peer, verdict string) {
	t.rows = append(t.rows, row{what, value, peer, verdict})
	fmt.Fprintf(t.Progress, "  %-62s %-26s %-52s %s\n", what, value, peer, verdict)
}

// AtMost is the verdict on a value that has an upper bound as its aim.
func AtMost(value, aim float64) string {
	if value <= aim {
		return "met"
	}
	return "MISSED"
}

// AtLeast is the verdict on a value that has a lower bound as its aim.
func AtLeast(value, aim float64) string { return AtMost(aim, value) }

// Markdown is the result as a file has it.
func (t *Table) Markdown(head string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured\n\n%s\n\n", head)
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', tabwriter.Debug)
	line := func(cells ...string) { fmt.Fprintf(w, "\t%s\t\n", strings.Join(cells, "\t")) }
	line(" What", " Here", " Beside", " Aim")
	line(" ---", " ---", " ---", " ---")
	for _, r := range t.rows {
		line(" "+r.what, " "+r.value, " "+r.peer, " "+r.verdict)
	}
	_ = w.Flush() // a strings.Builder takes all
	return b.String()
}

// Machine says on what was measured, between two load averages.
func Machine(ctx context.Context, before, after string) string {
	kernel := firstLine(ctx, "uname", "-sr")
	commit := firstLine(ctx, "git", "-C", "..", "describe", "--always", "--dirty")
	return fmt.Sprintf("%s; %s on %d cores; %s; %s; Vitals %s; load average %s before, %s after",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), processor(), runtime.NumCPU(), kernel, runtime.Version(), commit, before, after)
}

func firstLine(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // our own commands
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the name is unknown
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// LoadAverage is the one of the last one, five and fifteen minutes.
func LoadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// Write keeps the result in a file named after the day and the minute, and
// returns its path.
func (t *Table) Write(dir, head string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // results are for all to read
		return "", err
	}
	path := filepath.Join(dir, time.Now().UTC().Format("2006-01-02-1504")+".md")
	return path, os.WriteFile(path, []byte(t.Markdown(head)), 0o644) //nolint:gosec // as above
}

// Median is the one in the middle, the lower one of two; 0 of none.
func Median(values []float64) float64 { return Percentile(values, 50) }

// Percentile is the nearest-rank one, p from 1 to 100; 0 of no values.
func Percentile(values []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// Spread writes values as their median with the least and the greatest.
func Spread(values []float64, format string) string {
	if len(values) == 0 {
		return "none"
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", Median(values), slices.Min(values), slices.Max(values))
}

// Ratios are the ratios of two measurements that were made in turn.
type Ratios struct{ Median, Least, Greatest float64 }

// Ratio divides round by round: what disturbs a round disturbs both.
func Ratio(over, under []float64) Ratios {
	var all []float64
	for i := range min(len(over), len(under)) {
		all = append(all, over[i]/under[i])
	}
	if len(all) == 0 {
		return Ratios{}
	}
	return Ratios{Median(all), slices.Min(all), slices.Max(all)}
}

// String is the median with the least and the greatest.
func (r Ratios) String() string {
	return fmt.Sprintf("%.2fx (%.2f to %.2f)", r.Median, r.Least, r.Greatest)
}
