package collect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// tableRates feeds a table with one device's counter at one-second steps and
// returns the rates of each round as text; a negative counter stands for a
// device that is not there.
func tableRates(table *counterTable, counters ...int64) string {
	var out []string
	for i, n := range counters {
		r := round{}
		r.begin(0, time.Duration(i+1)*time.Second)
		var readings []counterReading
		if n >= 0 {
			readings = []counterReading{{[]byte("dev"), [columns]uint64{uint64(n)}}}
		}
		table.observe(&r, readings)
		switch len(r.samples) {
		case 0:
			out = append(out, "-")
		default:
			out = append(out, fmt.Sprint(r.samples[0].Value))
		}
	}
	return strings.Join(out, " ")
}

func TestCounterTable(t *testing.T) {
	f := func(column counterColumn, want string, counters ...int64) {
		t.Helper()
		column.metricType = "disk_read"
		table := &counterTable{host: "h", label: "device", columns: []counterColumn{column}}
		if got := tableRates(table, counters...); got != want {
			t.Errorf("rates of %v: %s, want %s", counters, got, want)
		}
	}
	f(counterColumn{}, "- 5 0 10", 100, 105, 105, 115)
	f(counterColumn{}, "- - 7", 0, 0, 7)                                 // a device that was idle before
	f(counterColumn{}, "- 5 - 2", 100, 105, 3, 5)                        // reset
	f(counterColumn{}, "- - - 1", 100, -1, 200, 201)                     // gone and made anew
	f(counterColumn{}, "- - 4", math.MaxUint32, 3, 7)                    // a 32-bit counter wraps
	f(counterColumn{scale: 0.1, percent: true}, "- 50 100", 1, 501, 2e6) // never over 100
}

func TestCounterTableRatesAreOverTheTimeThatPassed(t *testing.T) {
	table := &counterTable{host: "h", label: "device", columns: []counterColumn{{metricType: "disk_read"}}}
	for i, at := range []time.Duration{time.Second, 11 * time.Second} {
		r := round{}
		r.begin(0, at)
		table.observe(&r, []counterReading{{[]byte("dev"), [columns]uint64{uint64(1 + 100*i)}}})
		if i == 1 && (len(r.samples) != 1 || r.samples[0].Value != 10) {
			t.Errorf("samples: %v, want 100 in ten seconds", r.samples)
		}
	}
}

func TestCounterTableIgnores(t *testing.T) {
	asked := 0
	table := &counterTable{
		host: "h", label: "device", columns: []counterColumn{{metricType: "disk_read"}},
		ignore: func(name string) bool { asked++; return name == "dev" },
	}
	if got := tableRates(table, 1, 2, 3); got != "- - -" || asked != 1 {
		t.Errorf("rates %s, asked %d times", got, asked)
	}
}

func TestDevicesOfAFakeHost(t *testing.T) {
	host := newFakeHost(t)
	host.file(host.sys.sys+"/class/block/vda1/partition", "1\n")
	disks := func(n int) {
		var text strings.Builder
		for _, name := range []string{"loop0", "vda", "vda1", "zram0", "dm-0", "cciss/c0d0"} {
			fmt.Fprintf(&text, " 1 0 %s %[2]d 0 %[2]d 0 %[2]d 0 %[2]d 0 0 %[2]d 0 0 0 0 0 0 0\n", name, n)
		}
		text.WriteString(" 1 0 sr0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
		host.proc("diskstats", text.String())
	}
	nets := func(n int) {
		host.proc("net/dev", fmt.Sprintf("a\nb\n  lo: %[1]d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\neth0:%[1]d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\nveth12: %[1]d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", n))
	}
	disks(1000)
	nets(1000)
	c := host.collector()
	c.Prime(t.Context())
	disks(2000)
	nets(2000)
	at(c, 2*time.Second)
	var devices, interfaces []string
	var bytes, operations float64
	for _, s := range c.Collect(t.Context()) {
		switch s.Series.Type {
		case "disk_read":
			devices = append(devices, s.Series.Labels.Get("device"))
			bytes = s.Value
		case "disk_read_operations":
			operations = s.Value
		case "network_receive":
			interfaces = append(interfaces, s.Series.Labels.Get("interface"))
		}
	}
	if want := []string{"vda", "dm-0", "cciss/c0d0"}; !slices.Equal(devices, want) {
		t.Errorf("disks: %v, want %v", devices, want)
	}
	if want := []string{"lo", "eth0"}; !slices.Equal(interfaces, want) {
		t.Errorf("interfaces: %v, want %v", interfaces, want)
	}
	if math.Abs(bytes/operations-512) > 0.01 {
		t.Errorf("%v bytes a second at %v sectors a second", bytes, operations)
	}
}
