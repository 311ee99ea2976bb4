package metric

import (
	"strings"
	"testing"
)

func TestReservedNames(t *testing.T) {
	f := func(metricType, label string, want string) {
		t.Helper()
		err := NewSeries(metricType, "web-1", NewLabels(label, "x")).Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s{%s}: %v, want %q", metricType, label, err, want)
		}
	}
	f("jobs", "queue", "")
	f("_jobs", "_queue", "")
	f("__name__", "queue", `"__name__" is reserved`)
	f("__jobs", "queue", `"__jobs" is reserved`)
	f("jobs", "__queue", `"__queue" is reserved`)
	f("jobs", HostLabel, `"hostname" is reserved`)
}
