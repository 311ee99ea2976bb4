package result_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/bench/internal/result"
)

func TestMedianAndPercentile(t *testing.T) {
	f := func(want float64, p int, values ...float64) {
		t.Helper()
		if got := result.Percentile(values, p); got != want {
			t.Errorf("percentile %d of %v is %v, want %v", p, values, got, want)
		}
	}
	f(0, 50)
	f(2, 50, 3, 1, 2)
	f(2, 50, 4, 3, 2, 1)
	f(3, 99, 3, 1, 2)
}

// Rounds are divided one by one, so the median ratio need not be the ratio of the
// medians.
func TestRatio(t *testing.T) {
	got := result.Ratio([]float64{10, 40, 30}, []float64{10, 10, 15})
	if want := (result.Ratios{Median: 2, Least: 1, Greatest: 4}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got.String() != "2.00x (1.00 to 4.00)" {
		t.Errorf("%s", got)
	}
}

// A page gets the new rows in place of the old ones, and nothing else changes.
func TestDocument(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	const around = "# Page\n\n<!-- measured: a -->\n%s<!-- end of a -->\n\ntext\n<!-- measured: b -->\n<!-- end of b -->\n"
	if err := os.WriteFile(page, []byte(strings.Replace(around, "%s", "old\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	table := &result.Table{Progress: io.Discard}
	table.Add("calls", "1 µs", "peer 2 µs; ", "met")
	for range 2 { // again is the same
		if err := table.Document(page, "a", "the head"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	rows := "\nthe head\n\n| what | here | beside | aim |\n|---|---|---|---|\n| calls | 1 µs | peer 2 µs | met |\n\n"
	if want := strings.Replace(around, "%s", rows, 1); err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if err := table.Document(page, "c", ""); err == nil || !strings.Contains(err.Error(), "<!-- measured: c -->") {
		t.Errorf("no place: %v", err)
	}
}
