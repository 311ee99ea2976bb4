package collect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRound takes rounds of this host as if they were a second apart, so
// that the slow sources work in every fifth. It reports the samples of a round
// and what an hour of rounds would cost in processor seconds.
func BenchmarkRound(b *testing.B) {
	c := New(Options{Host: "h", Logger: quiet()})
	c.Prime(b.Context())
	c.Collect(b.Context())
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	samples := 0
	for b.Loop() {
		c.start = c.start.Add(-time.Second)
		samples += len(c.Collect(b.Context()))
	}
	b.ReportMetric(float64(samples)/float64(b.N), "samples/op")
	b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N)*3600, "cpu-s/hour")
}

// BenchmarkSource measures each source alone, again a second apart.
func BenchmarkSource(b *testing.B) {
	all := New(Options{Host: "h", Logger: quiet()})
	for _, s := range all.sources {
		b.Run(s.name(), func(b *testing.B) {
			c := New(Options{Host: "h", Logger: quiet()})
			c.sources = []*supervised{{source: s.source}}
			c.Prime(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				c.start = c.start.Add(-time.Second)
				c.Collect(b.Context())
			}
		})
	}
}

// BenchmarkRoundOfALargeHost takes rounds of a host with 64 cores, 10 disks, 12
// interfaces and 300 processes, whose /proc is plain files: it shows what
// parsing costs, not what the kernel takes to write such texts.
func BenchmarkRoundOfALargeHost(b *testing.B) {
	host := newFakeHost(b)
	var cpus, disks, interfaces strings.Builder
	cpus.WriteString("cpu  7901184 7872 2923392 632098752 150080 0 221184 0 0 0\n")
	for i := range 64 {
		fmt.Fprintf(&cpus, "cpu%d 123456 123 45678 9876543 2345 0 3456 0 0 0\n", i)
	}
	cpus.WriteString("intr 123456789" + strings.Repeat(" 0", 2000) + "\n")
	for i := range 10 {
		fmt.Fprintf(&disks, " 254 %d nvme%[1]dn1 81842 19539 4961714 30566 36189 147064 13700272 40671 0 15876 73073 14918 40 3383512 1690 3103 145\n", i)
	}
	interfaces.WriteString("Inter-|\n face |\n")
	for i := range 12 {
		fmt.Fprintf(&interfaces, "  eth%d: 684509826   34794    0    0    0     0          0         0  2714656   24681    0    0    0     0       0          0\n", i)
	}
	for i := range 300 {
		host.process(1000+i, fmt.Sprintf("program%d", i%60), 12345, i, 4000+i)
	}
	host.proc("stat", cpus.String())
	host.proc("diskstats", disks.String())
	host.proc("net/dev", interfaces.String())
	c := host.collector()
	c.Prime(b.Context())
	b.ReportAllocs()
	samples := 0
	for b.Loop() {
		rewind(c)
		c.start = c.start.Add(-time.Second)
		samples += len(c.Collect(b.Context()))
	}
	b.ReportMetric(float64(samples)/float64(b.N), "samples/op")
}

// rewind takes a second off the processors' baselines, since the files of the
// host stay as they are and a round without a tick has no samples.
func rewind(c *Collector) {
	cpu := c.sources[0].source.(*cpuSource)
	cpu.before.idle -= 6400
	for _, core := range cpu.cores {
		core.before.idle -= 100
	}
}
