package metric_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/metric"
)

// TestEndlessNames asks for names of megabytes, where a thousand are known: what
// comes back is short, and beside a known name's edit distance costs nothing that
// grows with what was asked for.
func TestEndlessNames(t *testing.T) {
	var known []string
	for i := range 1000 {
		known = append(known, fmt.Sprintf("web-%d", i))
	}
	endless := "web-7" + strings.Repeat("ä", 2<<20)
	for _, err := range []error{
		&metric.UnknownHostError{Host: endless, Known: known},
		&metric.UnknownTypeError{Type: endless, Host: endless, Known: known},
	} {
		if text := err.Error(); len(text) > 2000 || !strings.Contains(text, "web-7") {
			t.Errorf("%d bytes: %.300s", len(text), text)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"cpu", "memory", "disk", "load1"}
	f := func(name string, want ...string) {
		t.Helper()
		if got := metric.Nearest(name, known, len(want)); !slices.Equal(got, want) {
			t.Errorf("nearest to %q are %q, want %q", name, got, want)
		}
	}
	f("CPU", "cpu")
	f("memry", "memory")
	f("load", "load1")
	f("")
	if err := (&metric.UnknownTypeError{Type: "dsk", Host: "web-1", Known: known}); !strings.Contains(err.Error(), `"dsk" is not known on host "web-1"; nearest: disk`) {
		t.Error(err)
	}
}
