package collect

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// temperatures are those of a round as sensor:value.
func temperatures(t *testing.T, c *Collector) string {
	t.Helper()
	var out []string
	for _, s := range c.Collect(t.Context()) {
		if s.Series.Type == "temperature" {
			out = append(out, fmt.Sprintf("%s:%v", s.Series.Labels.Get("sensor"), s.Value))
		}
	}
	return strings.Join(out, " ")
}

func TestTemperaturesOfChips(t *testing.T) {
	host := newFakeHost(t)
	hwmon := host.sys.sys + "/class/hwmon/"
	for i, value := range []string{"30000", "31850"} {
		folder := fmt.Sprintf("%shwmon%d", hwmon, i+1)
		device := fmt.Sprintf("%s/devices/nvme%d", host.sys.sys, i)
		host.file(device+"/model", "x\n")
		host.file(folder+"/name", "nvme\n")
		host.file(folder+"/temp1_label", "Composite\n")
		host.file(folder+"/temp1_input", value+"\n")
		if err := os.Symlink(device, folder+"/device"); err != nil {
			t.Fatal(err)
		}
	}
	host.file(hwmon+"hwmon3/name", "acpitz\n")
	host.file(hwmon+"hwmon3/temp1_input", "-274000\n") // nothing connected
	host.file(hwmon+"hwmon3/temp2_input", "-5000\n")
	host.file(hwmon+"hwmon3/temp3_input", "asleep\n")
	host.file(host.sys.sys+"/class/thermal/thermal_zone0/temp", "1000\n") // the chips are enough
	c := host.collector()
	want := "coretemp_package_id_0:45.5 nvme_nvme0_composite:30 nvme_nvme1_composite:31.85 acpitz_temp2:-5"
	if got := temperatures(t, c); got != want {
		t.Errorf("temperatures: %s, want %s", got, want)
	}
	// A disk that is plugged in shows within a minute or so, one that is pulled
	// out is left out.
	host.remove(hwmon + "hwmon1")
	host.remove(hwmon + "hwmon2")
	host.file(hwmon+"hwmon4/name", "drivetemp\n")
	host.file(hwmon+"hwmon4/temp1_input", "40000\n")
	got := ""
	for reading := range 24 { // sensors are listed anew every 12
		at(c, time.Duration(1+reading)*(slowest+time.Second))
		got = temperatures(t, c)
	}
	if want := "coretemp_package_id_0:45.5 acpitz_temp2:-5 drivetemp_temp1:40"; got != want {
		t.Errorf("temperatures: %s, want %s", got, want)
	}
}

func TestTemperaturesOfZonesWhereThereAreNoChips(t *testing.T) {
	host := newFakeHost(t)
	host.remove(host.sys.sys + "/class/hwmon")
	host.file(host.sys.sys+"/class/thermal/thermal_zone0/temp", "52100\n")
	host.file(host.sys.sys+"/class/thermal/thermal_zone0/type", "cpu-thermal\n")
	if got, want := temperatures(t, host.collector()), "cpu-thermal_zone0:52.1"; got != want {
		t.Errorf("temperatures: %s, want %s", got, want)
	}
}

// A host without sensors and without PSI, as most containers are: said once
// each, at Info, and found when they come.
func TestHostWithoutSensorsAndPressure(t *testing.T) {
	host := newFakeHost(t)
	host.remove(host.sys.sys)
	host.remove(host.sys.proc + "/pressure")
	var log bytes.Buffer
	host.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := host.collector()
	for range 3 {
		for _, s := range c.Collect(t.Context()) {
			if s.Series.Type == "temperature" || s.Series.Type == "pressure" {
				t.Errorf("a sample of %v", s.Series)
			}
		}
	}
	text := log.String()
	if strings.Contains(text, "WARN") || strings.Count(text, "source=temperature") != 1 || strings.Count(text, "source=pressure") != 1 {
		t.Errorf("log: %s", text)
	}
	host.proc("pressure/cpu", "some avg10=1.89 avg60=0.00 avg300=0.00 total=1\n") // an old kernel has no full
	host.proc("pressure/io", "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=1\n")
	host.proc("pressure/memory", "some avg10=4.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=5.00 avg60=0.00 avg300=0.00 total=1\n")
	at(c, 2*time.Minute)
	samples := c.Collect(t.Context())
	if got := mustFind(t, samples, `pressure{hostname="h", kind="some", resource="cpu"}`).Value; math.Abs(got-1.89) >= 0.005 {
		t.Errorf("pressure is %v", got)
	}
	if got := mustFind(t, samples, `pressure{hostname="h", kind="full", resource="memory"}`).Value; got != 5 {
		t.Errorf("pressure is %v", got)
	}
	if _, ok := find(samples, `pressure{hostname="h", kind="full", resource="cpu"}`); ok {
		t.Error("pressure full of cpu, which the kernel did not say")
	}
}

func TestMemoryAndLoadOfAFakeHost(t *testing.T) {
	samples := newFakeHost(t).collector().Collect(t.Context())
	f := func(name string, want float64) {
		t.Helper()
		// What is used is rounded to half a megabyte, and finer where it is less.
		if got := mustFind(t, samples, name+`{hostname="h"}`).Value; math.Abs(got-want) > min(0.0005, want/256) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	f("memory", 5.12)
	f("memory_total", 8.192)
	f("memory_available", 3.072)
	f("memory_cached", 0.003584)
	f("swap_total", 0.004096)
	f("swap_used", 0.003072)
	f("load1", 0.5)
	f("load5", 1.25)
	f("load15", 2)
	f("agent_memory", float64(500*os.Getpagesize())/1e9)
}

// A file that cannot be parsed takes out its own source alone.
func TestBrokenProcFile(t *testing.T) {
	host := newFakeHost(t)
	host.proc("meminfo", "MemTotal: many kB\n")
	var log bytes.Buffer
	host.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c := host.collector()
	samples := c.Collect(t.Context())
	if _, ok := find(samples, `memory{hostname="h"}`); ok {
		t.Error("a sample of memory")
	}
	mustFind(t, samples, `load1{hostname="h"}`)
	mustFind(t, samples, `disk{hostname="h"}`)
	if text := log.String(); !strings.Contains(text, "source=memory") || !strings.Contains(text, "MemTotal: many kB") {
		t.Errorf("log: %s", text)
	}
}
