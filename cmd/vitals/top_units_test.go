package main

import (
	"math"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

func TestReadable(t *testing.T) {
	f := func(v float64, unit metric.Unit, want string) {
		t.Helper()
		if got := readable(v, unit); got != want {
			t.Errorf("readable(%v, %q) = %q, want %q", v, unit, got, want)
		}
	}
	f(12.345, metric.Percent, "12.3%")
	f(16.8, metric.GB, "16.8 GB")
	f(0.0123, metric.GB, "12.3 MB")
	f(1900, metric.GB, "1.9 TB")
	f(0.9996, metric.GB, "1.0 GB")
	f(0, metric.BytesPerSecond, "0 B/s")
	f(999, metric.BytesPerSecond, "999 B/s")
	f(1234, metric.BytesPerSecond, "1.2 KB/s")
	f(123.4e6, metric.BytesPerSecond, "123 MB/s")
	f(42, metric.CountPerSecond, "42/s")
	f(45, metric.Celsius, "45.0 °C")
	f(0.02, metric.Seconds, "20.0 ms")
	f(5, metric.Seconds, "5.0 s")
	f(90, metric.Seconds, "1m 30s")
	f(7260, metric.Seconds, "2h 1m")
	f(3*86400+7200, metric.Seconds, "3d 2h")
	f(3, metric.Count, "3")
	f(0.5, metric.Count, "0.50")
	f(1.2e6, metric.Count, "1.2M")
	f(7, "jobs", "7 jobs")
	f(math.NaN(), "", "NaN")
	f(math.Inf(1), metric.Seconds, "+Inf s")
}

func TestUsedOf(t *testing.T) {
	f := func(used, total float64, short bool, want string) {
		t.Helper()
		if got := usedOf(used, total, short); got != want {
			t.Errorf("usedOf(%v, %v, %v) = %q, want %q", used, total, short, got, want)
		}
	}
	nan := math.NaN()
	f(12.3, 16.8, false, "12.3/16.8 GB")
	f(12.3, 16.8, true, "12.3/16.8G")
	f(812, 1900, false, "0.8/1.9 TB")
	f(24, 271, true, "24/271G")
	f(3, nan, false, "3.0 GB")
	f(3, nan, true, "3.0G")
	f(nan, 16, false, "")
}

func TestAge(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := age(d); got != want {
			t.Errorf("age(%s) = %q, want %q", d, got, want)
		}
	}
	f(-time.Second, "0s")
	f(12*time.Second, "12s")
	f(5*time.Minute, "5m")
	f(3*time.Hour, "3h")
	f(50*time.Hour, "2d")
}
