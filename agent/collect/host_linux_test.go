package collect

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These hold the numbers of the real host against what the system's own tools
// and files say.

// meminfoBytes reads a line of /proc/meminfo in another way than the collector.
func meminfoBytes(t *testing.T, name string) float64 {
	t.Helper()
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); fields[0] == name+":" {
			kilobytes, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	t.Fatalf("/proc/meminfo has no %s", name)
	return 0
}

func TestMemoryAgreesWithMeminfo(t *testing.T) {
	c := New(Options{Host: "h", Logger: quiet()})
	// Memory changes all the time, so the reading has to lie between two others.
	const slack = 0.02 // GB
	waitFor(t, "reading of memory that agrees", func() bool {
		before := meminfoBytes(t, "MemTotal") - meminfoBytes(t, "MemAvailable")
		samples := c.Collect(t.Context())
		after := meminfoBytes(t, "MemTotal") - meminfoBytes(t, "MemAvailable")
		got := mustFind(t, samples, `memory{hostname="h"}`).Value
		if total := mustFind(t, samples, `memory_total{hostname="h"}`).Value; total != meminfoBytes(t, "MemTotal")/1e9 {
			t.Errorf("memory_total is %v", total)
		}
		return got > min(before, after)/1e9-slack && got < max(before, after)/1e9+slack
	})
}

func TestDiskAgreesWithStatfs(t *testing.T) {
	c := New(Options{Host: "h", Logger: quiet()})
	waitFor(t, "reading of the disk that agrees", func() bool {
		var st unix.Statfs_t
		if err := unix.Statfs("/", &st); err != nil {
			t.Fatal(err)
		}
		want := float64(st.Blocks-st.Bfree) * float64(st.Frsize) / 1e9
		got := mustFind(t, c.Collect(t.Context()), `disk{hostname="h"}`).Value
		return math.Abs(got-want) < 0.01
	})
}

func TestDiskAgreesWithDF(t *testing.T) {
	c := New(Options{Host: "h", Logger: quiet()})
	waitFor(t, "reading of the disk that agrees with df", func() bool {
		out, err := exec.CommandContext(t.Context(), "df", "-B1", "--output=used,avail,size", "/").Output()
		if err != nil {
			t.Skipf("df: %v", err)
		}
		fields := strings.Fields(string(out))
		used, err := strconv.ParseFloat(fields[len(fields)-3], 64)
		if err != nil {
			t.Fatal(err)
		}
		return math.Abs(mustFind(t, c.Collect(t.Context()), `disk{hostname="h"}`).Value-used/1e9) < 0.01
	})
}

// burn keeps one core busy until ctx ends and returns the processor time that
// it got, which on a busy host is less than the time that passed.
func burn(ctx context.Context, t *testing.T) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spent := func() time.Duration {
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
			t.Error(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := spent()
	for ctx.Err() == nil {
	}
	return spent() - before
}

// One core kept busy must show as one core's share.
func TestCPUSeesABusyCore(t *testing.T) {
	c := New(Options{Host: "h", Logger: quiet()})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	c.Prime(t.Context())
	start := time.Now()
	burned := make(chan time.Duration)
	go func() { burned <- burn(ctx, t) }()
	got := share(<-burned, time.Since(start), runtime.NumCPU())
	samples := c.Collect(t.Context())
	cpu := mustFind(t, samples, `cpu{hostname="h"}`).Value
	if cpu < 0.85*got || cpu > 100 {
		t.Errorf("cpu is %v while this test took %v", cpu, got)
	}
	agent := mustFind(t, samples, `agent_cpu{hostname="h"}`).Value
	if agent < 0.9*got || agent > 1.2*got+1 {
		t.Errorf("agent_cpu is %v, this test took %v", agent, got)
	}
	var busiest, modes float64
	for _, s := range samples {
		switch s.Series.Type {
		case "cpu_core":
			busiest = max(busiest, s.Value)
		case "cpu_mode":
			modes += s.Value
		}
	}
	// The scheduler may have moved the load from core to core.
	if busiest < 0.85*got || busiest > 100 {
		t.Errorf("the busiest core is at %v", busiest)
	}
	iowait := mustFind(t, samples, `cpu_mode{hostname="h", mode="iowait"}`).Value
	if math.Abs(modes-iowait-cpu) > 6*percentStep/2 {
		t.Errorf("the modes but iowait sum to %v, cpu is %v", modes-iowait, cpu)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := strconv.Quote(strings.TrimSpace(string(comm)))
	process := mustFind(t, samples, `process_cpu{hostname="h", process=`+name+`}`).Value
	if process < 0.85*got || process > 1.2*got+1 {
		t.Errorf("process_cpu of this test is %v, it took %v", process, got)
	}
}

// loopbackBytes is what lo has received, from another file than the collector's.
func loopbackBytes(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/sys/class/net/lo/statistics/rx_bytes")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNetworkCountsLoopbackTraffic(t *testing.T) {
	const size = 20 << 20
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan int64, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- 0
			return
		}
		defer conn.Close()
		n, _ := io.CopyN(io.Discard, conn, size) // n tells of an error
		received <- n
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	c := New(Options{Host: "h", Logger: quiet()})
	first := loopbackBytes(t)
	c.Prime(t.Context())
	second, primed := loopbackBytes(t), c.round.at
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if n := <-received; n != size {
		t.Fatalf("%d bytes of %d arrived", n, size)
	}
	third := loopbackBytes(t)
	samples := c.Collect(t.Context())
	fourth := loopbackBytes(t)

	seconds := (c.round.at - primed).Seconds()
	got := mustFind(t, samples, `network_receive{hostname="h", interface="lo"}`).Value * seconds
	const rounding = 1.0 / (1 << rateBits)
	if got < (1-rounding)*size || got < (1-rounding)*(third-second) || got > (1+rounding)*(fourth-first) {
		t.Errorf("%v bytes received on lo, which counted %v to %v", got, third-second, fourth-first)
	}
	sent := mustFind(t, samples, `network_transmit{hostname="h", interface="lo"}`).Value * seconds
	if math.Abs(sent-got) > 2*rounding*got { // lo receives what it sends
		t.Errorf("%v bytes sent on lo, %v received", sent, got)
	}
	if packets := mustFind(t, samples, `network_receive_packets{hostname="h", interface="lo"}`).Value * seconds; packets < size/65536 {
		t.Errorf("%v packets received on lo", packets)
	}
}
