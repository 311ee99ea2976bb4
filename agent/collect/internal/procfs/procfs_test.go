package procfs

import (
	"fmt"
	"testing"
)

func TestParseStat(t *testing.T) {
	var st Stat // reused, as the collector does
	f := func(text, want string) {
		t.Helper()
		got := ""
		if err := ParseStat([]byte(text), &st); err != nil {
			got = "error"
		} else {
			got = fmt.Sprint(st.Total, st.Cores)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu12 2 0 0 2 0 0 0 0 0 0\nintr 5 0\nctxt 1\n",
		"{1 2 3 4 5 6 7 8} [{0 {1 0 0 1 0 0 0 0}} {12 {2 0 0 2 0 0 0 0}}]")
	f("cpu 1 2 3 4\n", "{1 2 3 4 0 0 0 0} []")
	f("cpu 18446744073709551615 0 0 1", "{18446744073709551615 0 0 1 0 0 0 0} []")
	f("", "error")
	f("intr 5\n", "error")
	f("cpu 1 2 3\n", "error")
	f("cpu 1 2 3 4\ncpux 1 2 3 4\n", "error")
	f("cpu 1 2 3 4\ncpu0 -1 2 3 4\n", "error")
}

func TestParseMeminfo(t *testing.T) {
	f := func(text string, want Meminfo, ok bool) {
		t.Helper()
		got, err := ParseMeminfo([]byte(text))
		if got != want || (err == nil) != ok {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	f("MemTotal:       8 kB\nMemFree: 2 kB\nMemAvailable:   4 kB\nBuffers: 1 kB\nCached: 1 kB\nSwapCached: 9 kB\nSReclaimable: 1 kB\nSwapTotal: 3 kB\nSwapFree: 2 kB\nHugePages_Total:       0\n",
		Meminfo{Total: 8192, Free: 2048, Available: 4096, Buffers: 1024, Cached: 1024, Reclaimable: 1024, SwapTotal: 3072, SwapFree: 2048}, true)
	// Before Linux 3.14.
	f("MemTotal: 8 kB\nMemFree: 2 kB\nBuffers: 1 kB\nCached: 1 kB\n",
		Meminfo{Total: 8192, Free: 2048, Available: 4096, Buffers: 1024, Cached: 1024}, true)
	f("MemTotal: 8 kB\nMemAvailable: 0 kB\nMemFree: 1 kB\n", Meminfo{Total: 8192, Free: 1024}, true)
	f("", Meminfo{}, false)
	f("MemFree: 1 kB\n", Meminfo{}, false)
	f("MemTotal: x kB\n", Meminfo{}, false)
	f("MemTotal: 99999999999999999999 kB\n", Meminfo{}, false)
}

func TestParseLoadavg(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseLoadavg([]byte(text))
		if text := fmt.Sprint(got, err != nil); text != want {
			t.Errorf("%q: %s, want %s", text, text, want)
		}
	}
	f("0.23 1.89 151.07 1/80 44617\n", "[0.23 1.89 151.07] false")
	f("1 2 3", "[1 2 3] false")
	f("0.23 0.36\n", "[0 0 0] true")
	f("0.23 x 0.51\n", "[0 0 0] true")
	f("", "[0 0 0] true")
}

func TestParsePressure(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParsePressure([]byte(text))
		if text := fmt.Sprint(got, err != nil); text != want {
			t.Errorf("%q: %s, want %s", text, text, want)
		}
	}
	f("some avg10=1.92 avg60=0.86 avg300=10.23 total=181680453\nfull avg10=0.01 avg60=0.00 avg300=0.00 total=0\n", "{1.92 0.01 true} false")
	f("some avg10=100.00 avg60=0.86 avg300=10.23 total=1\n", "{100 0 false} false")
	f("full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", "{0 0 false} true")
	f("some avg60=0.00\n", "{0 0 false} true")
	f("some 1.00\n", "{0 0 false} true")
	f("", "{0 0 false} true")
}

func TestParseDiskstats(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseDiskstats([]byte(text), nil)
		out := ""
		for _, d := range got {
			out += fmt.Sprintf("%s r%d/%d w%d/%d b%d;", d.Name, d.Reads, d.ReadBytes, d.Writes, d.WriteBytes, d.BusyMillis)
		}
		if err != nil {
			out += "error"
		}
		if out != want {
			t.Errorf("%q: %s, want %s", text, out, want)
		}
	}
	f(" 254       0 vda 81842 19539 4961714 30566 36189 147064 13700272 40671 0 15876 73073 14918 40 3383512 1690 3103 145\n   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0\n",
		"vda r81842/2540397568 w36189/7014539264 b15876;loop0 r0/0 w0/0 b0;")
	f("   8       1 sda1 10 20 30 40\n   8       0 sda 1 0 2 0 3 0 4 0 0 5 0\n", "sda r1/1024 w3/2048 b5;")
	f("", "")
	f("8 0 sda\n", "error")
	f("8 0 sda 1 2 3\n", "error")
	f("8 0 sda 1 0 2 0 3 0 x 0 0 5 0\n", "error")
}

func TestParseNetDev(t *testing.T) {
	const heading = "Inter-|   Receive |  Transmit\n face |bytes    packets errs\n"
	f := func(text, want string) {
		t.Helper()
		got, err := ParseNetDev([]byte(text), nil)
		out := ""
		for _, i := range got {
			out += fmt.Sprintf("%s r%d/%d/%d t%d/%d/%d;", i.Name, i.ReceiveBytes, i.ReceivePackets, i.ReceiveErrors, i.TransmitBytes, i.TransmitPackets, i.TransmitErrors)
		}
		if err != nil {
			out += "error"
		}
		if out != want {
			t.Errorf("%q: %s, want %s", text, out, want)
		}
	}
	f(heading+"    lo:    3193      29    1    0    0     0          0         0     3194      30    2    0    0     0       0          0\n", "lo r3193/29/1 t3194/30/2;")
	// Old kernels leave no blank after a long number's colon; an alias has a
	// colon of its own.
	f(heading+"eth0:1:12345678901 1 0 0 0 0 0 0 5 6 7 0 0 0 0 0\n", "eth0:1 r12345678901/1/0 t5/6/7;")
	f(heading, "")
	f("", "")
	f(heading+"eth0: 1 2 3\n", "error")
	f(heading+"eth0 1 2 3\n", "error")
	f(heading+": 1 1 0 0 0 0 0 0 5 6 7 0 0 0 0 0\n", "error")
}

func TestParseMountinfo(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseMountinfo([]byte(text))
		if text := fmt.Sprintf("%q %v", got, err != nil); text != want {
			t.Errorf("%q: %s, want %s", text, text, want)
		}
	}
	f("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", `[{"/dev/root" "/mnt2" "/mnt1" "ext3"}] false`)
	f("36 35 98:0 / /a\\040b rw - ext4 /dev/x\\134y rw\n", `[{"/dev/x\\y" "/a b" "/" "ext4"}] false`)
	f("36 35 98:0 / /bad\\9 rw shared:1 master:2 unbindable - tmpfs none rw\n", `[{"none" "/bad\\9" "/" "tmpfs"}] false`)
	f("36 35 0:4 / /x rw - nsfs\n", `[{"" "/x" "/" "nsfs"}] false`)
	f("", "[] false")
	f("36 35 98:0 / /x rw ext4 /dev/x rw\n", "[] true")
	f("36 35 - ext4 /dev/x rw\n", "[] true")
}

func TestParsePIDStat(t *testing.T) {
	const rest = " S 1 2 3 0 -1 %d 0 0 0 0 12 30 0 0 20 0 1 0 777 1000 42 18446744073709551615 1\n"
	f := func(text, want string) {
		t.Helper()
		got, err := ParsePIDStat([]byte(text))
		out := fmt.Sprintf("%s %v %d %d %d", got.Name, got.Kernel, got.Ticks, got.Start, got.ResidentPages)
		if err != nil {
			out = "error"
		}
		if out != want {
			t.Errorf("%q: %s, want %s", text, out, want)
		}
	}
	f(fmt.Sprintf("10 (nginx)"+rest, 4194560), "nginx false 42 777 42")
	f(fmt.Sprintf("10 (kworker/0:1)"+rest, 2129984), "kworker/0:1 true 42 777 42")
	f(fmt.Sprintf("10 (a) S (b c\n)"+rest, 0), "a) S (b c\n false 42 777 42")
	f(fmt.Sprintf("10 ()"+rest, 0), " false 42 777 42")
	f("10 (nginx) S 1 2 3\n", "error")
	f("10 nginx S 1 2 3\n", "error")
	f("10 )nginx( S 1 2 3\n", "error")
	f("10 (n) S 1 2 3 0 -1 0 0 0 0 0 -12 30 0 0 20 0 1 0 777 1000 42\n", "error")
	f("", "error")
}

func TestParseStatm(t *testing.T) {
	if got, err := ParseStatm([]byte("1000 42 300 1 0 200 0\n")); got != 42 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ParseStatm([]byte("1000\n")); err == nil {
		t.Error("no error without the resident pages")
	}
}

func TestParsersAllocateNothing(t *testing.T) {
	stat := []byte("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu12 2 0 0 2 0 0 0 0 0 0\n")
	meminfo := []byte("MemTotal: 8 kB\nMemAvailable: 4 kB\n")
	pid := []byte("10 (nginx) S 1 2 3 0 -1 0 0 0 0 0 12 30 0 0 20 0 1 0 777 1000 42 0\n")
	var st Stat
	allocations := testing.AllocsPerRun(10, func() {
		if ParseStat(stat, &st) != nil {
			t.Error("stat")
		}
		if _, err := ParseMeminfo(meminfo); err != nil {
			t.Error("meminfo")
		}
		if _, err := ParsePIDStat(pid); err != nil {
			t.Error("pid")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
