package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// steps are the prefixes of a thousand each, beginning with none.
var steps = []string{"", "K", "M", "G", "T", "P", "E"}

// stepped writes a value with the prefix that leaves one to three digits before
// the point. between stands between number and prefix.
func stepped(v float64, between string) string {
	size, i := math.Abs(v), 0
	if size >= 999.5e18 {
		return strconv.FormatFloat(v, 'e', 2, 64) + between
	}
	for size >= 999.5 && i < len(steps)-1 {
		size /= 1000
		v /= 1000
		i++
	}
	decimals := 1
	if i == 0 || size >= 99.95 {
		decimals = 0
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + between + steps[i]
}

// isLong reports whether a value has too many digits to be written out.
func isLong(values ...float64) bool {
	return slices.ContainsFunc(values, func(v float64) bool { return math.Abs(v) >= 1e15 })
}

// fixed writes a value with one decimal, or by its power of ten where it is long.
func fixed(v float64) string {
	if isLong(v) {
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// readable writes a value of a unit as people say it: 16.8 GB, 1.2 MB/s, 45.0 °C.
func readable(v float64, unit metric.Unit) string {
	switch unit {
	case metric.Percent:
		return fixed(v) + "%"
	case metric.GB:
		if v > math.MaxFloat64/1e9 || v < -math.MaxFloat64/1e9 {
			return fixed(v) + " GB"
		}
		return stepped(v*1e9, " ") + "B"
	case "bytes":
		return stepped(v, " ") + "B"
	case metric.BytesPerSecond:
		return stepped(v, " ") + "B/s"
	case metric.CountPerSecond:
		return stepped(v, "") + "/s"
	case metric.Celsius:
		return fixed(v) + " °C"
	case metric.Seconds:
		return readableSeconds(v)
	case metric.Count, "":
		return shortNumber(v)
	}
	return shortNumber(v) + " " + string(unit)
}

// readableSeconds writes a duration with its two greatest parts.
func readableSeconds(v float64) string {
	d := time.Duration(v * float64(time.Second))
	switch size := d.Abs(); {
	case math.Abs(v) > 250*365*24*3600, math.IsNaN(v):
		return shortNumber(v) + " s"
	case size < time.Second && size > 0:
		return strconv.FormatFloat(v*1000, 'f', 1, 64) + " ms"
	case size < time.Minute:
		return strconv.FormatFloat(v, 'f', 1, 64) + " s"
	case size < time.Hour:
		return fmt.Sprintf("%dm %ds", d/time.Minute, size%time.Minute/time.Second)
	case size < day:
		return fmt.Sprintf("%dh %dm", d/time.Hour, size%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/day, d.Abs()%day/time.Hour)
}

// shortNumber writes a plain number: whole where it is whole, and with steps
// where it is long.
func shortNumber(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', -1, 64)
	case math.Abs(v) >= 1e5:
		return stepped(v, "")
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) < 0.01:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// usedOf writes used and total in the total's step: 12.3/16.8 GB. Short leaves
// the B out.
func usedOf(used, total float64, short bool) string {
	if math.IsNaN(used) {
		return ""
	}
	if math.IsNaN(total) || total <= 0 {
		if short {
			return stepped(used*1e9, "")
		}
		return readable(used, metric.GB)
	}
	step, i := total*1e9, 0
	for math.Abs(step) >= 999.5 && i < len(steps)-1 {
		step /= 1000
		i++
	}
	decimals := 1
	if step >= 99.95 || i == 0 {
		decimals = 0
	}
	of := strconv.FormatFloat(used*1e9*(step/(total*1e9)), 'f', decimals, 64)
	all := strconv.FormatFloat(step, 'f', decimals, 64)
	if short {
		return of + "/" + all + steps[i]
	}
	return of + "/" + all + " " + steps[i] + "B"
}

// age writes how old something is, in a few characters: 12s, 5m, 3h, 2d.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

func ageOfMillis(ms int64) string { return age(time.Duration(ms) * time.Millisecond) }
