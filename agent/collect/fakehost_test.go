package collect

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// fakeHost is a host whose /proc and /sys are written by the test, so that
// what it measures is known.
type fakeHost struct {
	tb  testing.TB
	sys system
	// opts may be changed before collector.
	opts Options
}

func skipUnlessLinux(tb testing.TB) {
	tb.Helper()
	if runtime.GOOS != "linux" {
		tb.Skip("reads /proc")
	}
}

func newFakeHost(tb testing.TB) *fakeHost {
	tb.Helper()
	skipUnlessLinux(tb)
	dir := tb.TempDir()
	h := &fakeHost{
		tb:   tb,
		sys:  system{proc: dir + "/proc", sys: dir + "/sys", root: "/"},
		opts: Options{Host: "h", Logger: quiet()},
	}
	h.proc("stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu2 50 0 50 400 0 0 0 0 0 0\nintr 1\n")
	h.proc("meminfo", "MemTotal: 8000000 kB\nMemFree: 1000000 kB\nMemAvailable: 3000000 kB\nBuffers: 1000 kB\nCached: 2000 kB\nSReclaimable: 500 kB\nSwapTotal: 4000 kB\nSwapFree: 1000 kB\n")
	h.proc("loadavg", "0.50 1.25 2.00 1/100 4242\n")
	for _, resource := range []string{"cpu", "memory", "io"} {
		h.proc("pressure/"+resource, "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=1\n")
	}
	h.proc("self/mountinfo", "20 1 254:0 / / rw - ext4 /dev/vda rw\n")
	h.proc("self/statm", "1000 500 300 1 0 200 0\n")
	h.disk("vda", 1000)
	h.network("eth0", 1000)
	h.process(10, "nginx", 100, 5, 1000)
	h.file(h.sys.sys+"/class/hwmon/hwmon0/name", "coretemp\n")
	h.file(h.sys.sys+"/class/hwmon/hwmon0/temp1_input", "45500\n")
	h.file(h.sys.sys+"/class/hwmon/hwmon0/temp1_label", "Package id 0\n")
	return h
}

func (h *fakeHost) collector() *Collector { return newCollector(h.opts, h.sys) }

// advance lets everything that is counted grow.
func (h *fakeHost) advance() {
	h.proc("stat", "cpu  150 0 150 900 0 0 0 0 0 0\ncpu0 100 0 100 400 0 0 0 0 0 0\ncpu2 50 0 50 500 0 0 0 0 0 0\nintr 1\n")
	h.disk("vda", 2000)
	h.network("eth0", 2000)
	h.process(10, "nginx", 101, 5, 1000)
}

// disk writes one whole disk with n of everything.
func (h *fakeHost) disk(name string, n int) {
	h.proc("diskstats", fmt.Sprintf("254 0 %s %[2]d %[2]d %[2]d %[2]d %[2]d %[2]d %[2]d %[2]d 0 %[2]d %[2]d\n", name, n))
}

func (h *fakeHost) network(name string, n int) {
	h.proc("net/dev", fmt.Sprintf("Inter-| Receive\n face |bytes\n%6s: %[2]d %[2]d %[2]d 0 0 0 0 0 %[2]d %[2]d %[2]d 0 0 0 0 0\n", name, n))
}

func (h *fakeHost) process(pid int, name string, ticks, start, pages int) {
	h.proc(fmt.Sprintf("%d/stat", pid), fmt.Sprintf("%d (%s) S 1 1 1 0 -1 4194560 0 0 0 0 %d 0 0 0 20 0 1 0 %d 1000 %d 0\n", pid, name, ticks, start, pages))
}

func (h *fakeHost) proc(name, text string) { h.file(h.sys.proc+"/"+name, text) }

func (h *fakeHost) file(path, text string) {
	h.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *fakeHost) remove(path string) {
	h.tb.Helper()
	if err := os.RemoveAll(path); err != nil {
		h.tb.Fatal(err)
	}
}
