package store

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

func benchStore(b *testing.B) *Store {
	o := testOptions(b, b.TempDir())
	o.MinFree, o.SyncInterval, o.Logger = 0, 0, slog.New(slog.DiscardHandler)
	return openStore(b, o)
}

// hostSeries are n series of one host.
func hostSeries(host string, n int) (all []*metric.Series) {
	for i := range n {
		all = append(all, metric.NewSeries("cpu_core", host, metric.NewLabels("core", fmt.Sprint(i))))
	}
	return all
}

// BenchmarkAppend appends batches of one host's 250 series, a second apart.
func BenchmarkAppend(b *testing.B) {
	s := benchStore(b)
	const n = 250
	points := make([]Point, n)
	for i, series := range hostSeries("web-1", n) {
		points[i].Ref = s.Ref(series)
	}
	now := start
	b.ReportAllocs()
	used := cpuSeconds(b)
	b.ResetTimer()
	for b.Loop() {
		now += second
		for i := range points {
			points[i].Time, points[i].Value = now, float64((now/second*int64(i+7))%10000)/100
		}
		if _, err := s.Append(context.Background(), points); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/sample")
	b.ReportMetric((cpuSeconds(b)-used)*1e9/float64(b.N*n), "cpu-ns/sample")
}

// cpuSeconds is what the process has used, the TSDB's background work and the
// garbage collector included.
func cpuSeconds(b *testing.B) float64 {
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		b.Fatal(err)
	}
	t, err := p.Times()
	if err != nil {
		b.Fatal(err)
	}
	return t.User + t.System
}

// BenchmarkBackfill appends what was missed while live data goes on: the late
// half of each host fills a gap in order.
func BenchmarkBackfill(b *testing.B) {
	s := benchStore(b)
	const n = 250
	var live, late []Point
	for _, series := range hostSeries("web-1", n) {
		live = append(live, Point{s.Ref(series), start, 1})
	}
	mustAppend(b, s, live...)
	for i := range live {
		live[i].Time = start + 20*hour
	}
	mustAppend(b, s, live...)
	late = append(late, live...)
	now := start
	b.ResetTimer()
	for b.Loop() {
		now += second
		for i := range late {
			late[i].Time, late[i].Value = now, float64((now/second*int64(i+7))%10000)/100
		}
		if _, err := s.Append(context.Background(), late); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/sample")
}

// lifelike is a value as hosts have them: a daily wave, noise, two decimals.
func lifelike(at int64, seed int) float64 {
	wave := 40 + 25*math.Sin(float64(at%(24*hour))/float64(24*hour)*2*math.Pi+float64(seed))
	noise := rand.New(rand.NewPCG(uint64(at), uint64(seed))).NormFloat64()
	return math.Round((wave+4*noise)*100) / 100
}

// longStore has a year of n hosts in its tiers, the newest hour in raw. The
// year is written into the tiers as a roll-up would.
func longStore(b *testing.B, n int, year int64) (s *Store, end int64) {
	b.Helper()
	s = benchStore(b)
	end = floor(start+year, 24*hour)
	begin := end - year
	write := func(t *tier.Tier, step, partition, from int64) {
		for ; from < end; from = floor(from, partition) + partition {
			w, err := t.Writer(from, min(floor(from, partition)+partition, end))
			if err != nil {
				b.Fatal(err)
			}
			for host := range n {
				var c tier.Columns
				for at := from; at < min(floor(from, partition)+partition, end); at += step {
					v := lifelike(at, host)
					c.Append(tier.Bucket{
						Start: at, Count: uint32(step / second), Sum: v * float64(step/second),
						Min: math.Round((v-5)*100) / 100, Max: math.Round((v+7)*100) / 100, Last: v,
					})
				}
				w.Add(s.tiers.catalog.ID(toLabels(cpuOf(fmt.Sprintf("web-%d", host)))), &c)
			}
			if err := w.Finish(); err != nil {
				b.Fatal(err)
			}
		}
	}
	write(s.tiers.hour, hour, hourPartition, begin)
	write(s.tiers.minute, minute, minutePartition, end-3*24*hour)
	s.close(end)
	for host := range n {
		ref := s.Ref(cpuOf(fmt.Sprintf("web-%d", host)))
		var points []Point
		for at := end; at < end+10*minute; at += second {
			points = append(points, Point{ref, at, lifelike(at, host)})
		}
		mustAppend(b, s, points...)
	}
	return s, end + 10*minute
}

// BenchmarkRange reads a day, a month and a year of one host and of a hundred.
// Ten minutes of each are stitched on from raw.
func BenchmarkRange(b *testing.B) {
	s, end := longStore(b, 100, 366*24*hour)
	for _, span := range []struct {
		name   string
		length int64
	}{{"24h", 24 * hour}, {"30d", 30 * 24 * hour}, {"1y", 365 * 24 * hour}} {
		for _, hosts := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/%d-hosts", span.name, hosts), func(b *testing.B) {
				matchers := byType(metric.CPU)
				if hosts == 1 {
					matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, "web-7"))
				}
				used := cpuSeconds(b)
				for b.Loop() {
					r, err := s.Range(context.Background(), RangeRequest{Matchers: matchers, Start: end - span.length, End: end - 1, MaxPoints: 500})
					if err != nil || len(r.Series) != hosts || r.Tier == Raw {
						b.Fatal(len(r.Series), r.Tier, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/query")
				b.ReportMetric((cpuSeconds(b)-used)*1e3/float64(b.N), "cpu-ms/query")
			})
		}
	}
}

// BenchmarkRollUp rolls an hour of one-second samples of a host up.
func BenchmarkRollUp(b *testing.B) {
	s := benchStore(b)
	const n = 250
	series := hostSeries("web-1", n)
	for at := start; at < start+hour; at += second {
		var points []Point
		for i := range series {
			points = append(points, Point{s.Ref(series[i]), at, float64((at/second*int64(i+7))%10000) / 100})
		}
		mustAppend(b, s, points...)
	}
	b.ResetTimer()
	for b.Loop() {
		if err := s.rollMinutes(context.Background(), start, start+hour); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*3600), "ns/sample")
}

// BenchmarkDisk tells the bytes a sample on disk after compaction, raw and in
// the minute tier, for lifelike decimals and for steadier host data.
func BenchmarkDisk(b *testing.B) {
	for _, kind := range []string{"noisy", "host"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				s := benchStore(b)
				const n = 100
				series := hostSeries("web-1", n)
				random := rand.New(rand.NewPCG(1, 2))
				value := make([]float64, n)
				for at := start; at < start+4*hour; at += second {
					points := make([]Point, n)
					for i := range series {
						if kind == "noisy" {
							value[i] = lifelike(at, i)
						} else {
							value[i] = hostValue(random, i, value[i])
						}
						points[i] = Point{s.Ref(series[i]), at, value[i]}
					}
					mustAppend(b, s, points...)
				}
				setNow(s, start+4*hour+minute)
				if err := s.RollUp(context.Background()); err != nil {
					b.Fatal(err)
				}
				if err := s.raw.db.Compact(context.Background()); err != nil {
					b.Fatal(err)
				}
				var samples uint64
				for _, block := range s.raw.db.Blocks() {
					samples += block.Meta().Stats.NumSamples
				}
				b.ReportMetric(float64(dirSize(b, s, "raw", "01*"))/float64(samples), "B/sample")
				b.ReportMetric(float64(s.tiers.minute.Size())/float64(n*240), "B/minute")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hostValue is the next value of a series of a quiet host: a third of the
// series never move, a third move now and then, a third are a noisy percentage
// or rate.
func hostValue(random *rand.Rand, i int, last float64) float64 {
	switch i % 3 {
	case 0:
		return float64(i)
	case 1:
		if random.IntN(20) > 0 {
			return last
		}
		return math.Round((float64(i)+random.Float64())*1000) / 1000
	}
	if random.IntN(2) > 0 {
		return last
	}
	return math.Round(random.ExpFloat64()*100) / 100
}

func dirSize(b *testing.B, s *Store, folder, pattern string) (size int64) {
	dirs, err := filepath.Glob(filepath.Join(s.options.Dir, folder, pattern))
	if err != nil {
		b.Fatal(err)
	}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, _ error) error {
			if info, err := e.Info(); err == nil && !e.IsDir() {
				size += info.Size()
			}
			return nil
		})
	}
	return size
}

// BenchmarkMemory tells the heap a series takes: 1,000 hosts of 30 series.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := benchStore(b)
		for host := range 1000 {
			var points []Point
			for _, series := range hostSeries(fmt.Sprint("host-", host), 30) {
				for i := range int64(10) {
					points = append(points, Point{s.Ref(series), start + i*second, float64(i)})
				}
			}
			mustAppend(b, s, points...)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/30_000, "B/series")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
