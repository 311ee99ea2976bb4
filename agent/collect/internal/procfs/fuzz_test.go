package procfs

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// FuzzParsers gives any text to every parser: none may panic, loop, or give
// what lies outside its text or is no number.
func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"",
		"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 0 0 1 0 0 0 0 0 0\n",
		"MemTotal: 8 kB\nMemAvailable: 4 kB\n",
		"0.23 1.89 151.07 1/80 44617\n",
		"some avg10=1.92 avg60=0.86 avg300=10.23 total=181680453\n",
		" 254 0 vda 81842 19539 4961714 30566 36189 147064 13700272 40671 0 15876 73073\n",
		"a\nb\n lo: 3193 29 1 0 0 0 0 0 3194 30 2 0 0 0 0 0\n",
		"36 35 98:0 / /a\\040b rw shared:1 - ext4 /dev/x\\134y rw\n",
		"10 (a) b) S 1 2 3 0 -1 0 0 0 0 0 12 30 0 0 20 0 1 0 777 1000 42 0\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := bytes.Count(text, []byte{'\n'}) + 1
		var st Stat
		if ParseStat(text, &st); len(st.Cores) > lines {
			t.Errorf("%d cores of %d lines", len(st.Cores), lines)
		}
		if m, err := ParseMeminfo(text); err == nil && m.Total == 0 {
			t.Error("no memory and no error")
		}
		if averages, err := ParseLoadavg(text); err == nil {
			checkFinite(t, averages[:]...)
		}
		if p, err := ParsePressure(text); err == nil {
			checkFinite(t, p.Some, p.Full)
		}
		disks, _ := ParseDiskstats(text, nil)
		for _, d := range disks {
			checkWithin(t, text, d.Name)
		}
		interfaces, _ := ParseNetDev(text, nil)
		for _, i := range interfaces {
			checkWithin(t, text, i.Name)
		}
		if mounts, err := ParseMountinfo(text); err == nil && len(mounts) > lines {
			t.Errorf("%d mounts of %d lines", len(mounts), lines)
		}
		if p, err := ParsePIDStat(text); err == nil && !bytes.Contains(text, p.Name) {
			t.Errorf("the name %q is not in the text", p.Name)
		}
		_, _ = ParseStatm(text)
	})
}

func checkFinite(t *testing.T, values ...float64) {
	t.Helper()
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Errorf("the value %v", v)
		}
	}
}

func checkWithin(t *testing.T, text, name []byte) {
	t.Helper()
	if len(name) == 0 || !bytes.Contains(text, name) || strings.ContainsAny(string(name), " \t\n") {
		t.Errorf("the name %q", name)
	}
}
