package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
)

// The test's own program is started as the fleet, too.
func TestMain(m *testing.M) {
	if beFleet(os.Stdout) {
		return
	}
	os.Exit(m.Run())
}

// Each part still finds what it measures in the page: charts, answers, rows, and
// points that are as the server has them. How fast that is, is not tested.
func TestEveryPartMeasures(t *testing.T) {
	program, err := chromium.Path()
	if err != nil {
		t.Skipf("THE PAGE IS NOT MEASURED: %v", err)
	}
	b := &bench{
		chromium: program, hosts: 3, many: 60, series: 30, history: 20 * time.Minute, rounds: 1, kills: 1, stricken: []string{agentName},
		live: 2 * time.Second, settle: time.Second, scroll: time.Second, outage: 2 * time.Second, around: 5 * time.Second,
	}
	if err := b.measure(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	rows := b.table.Markdown("")
	for _, part := range []string{
		"fleet page, 3 hosts: first chart drawn", "host page, 3 hosts: first chart drawn", "host page, 3 hosts, 2s live: main thread",
		"zoom by a drag within the last 15m", "page-agent's charts: points missing or wrong", "fleet page, 60 hosts, scrolling the grid: frames/s",
	} {
		if !strings.Contains(rows, part) {
			t.Errorf("no figure of %q", part)
		}
	}
	for line := range strings.Lines(rows) {
		// Not the verdict, which is also on the time between two samples: a busy machine's agent is late.
		if strings.Contains(line, "points missing or wrong") && (!strings.Contains(line, " 0 and 0 of ") || strings.Contains(line, " of 0 ")) {
			t.Errorf("the charts are not what the server has: %s", line)
		}
	}
	if _, err := os.Stat(b.work); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", b.work)
	}
}
