package metric

import "slices"

// Unit is what a value counts. The text is what callers see.
type Unit string

// The units of the built-in types. A custom metric may have any other.
const (
	// Percent runs from 0 to 100, whatever the number of cores. The collector
	// measures it to a sixteenth, pressure to a 128th, and what one process takes
	// finer where that is little.
	Percent Unit = "percent"
	// GB is 10^9 bytes, not 2^30. Amounts in use or free are measured to a
	// 1024th, about a megabyte, and finer below a quarter of a GB.
	GB Unit = "GB"
	// BytesPerSecond is a rate over the time since the sample before, to three
	// digits and a half.
	BytesPerSecond Unit = "bytes_per_second"
	// CountPerSecond is a rate of operations, packets or errors, to three digits
	// and a half and to a quarter of one between two samples.
	CountPerSecond Unit = "count_per_second"
	// Celsius is a temperature.
	Celsius Unit = "celsius"
	// Seconds is a duration.
	Seconds Unit = "seconds"
	// Count is a number of things; it may have a fraction (a load average).
	Count Unit = "count"
)

// Kind tells how a type's values behave over time.
type Kind uint8

const (
	// Gauge values go up and down and mean something each for itself.
	Gauge Kind = iota
	// Counter values only grow, but for a reset to zero; their rate is what
	// matters.
	Counter
)

// String returns "gauge" or "counter".
func (k Kind) String() string {
	if k == Counter {
		return "counter"
	}
	return "gauge"
}

// Type describes a metric type.
type Type struct {
	// Name is the metric_type of the contract and the PromQL metric name.
	Name string
	Unit Unit
	// Help says in a sentence what is measured.
	Help string
	Kind Kind
	// Labels names the further labels that tell the type's series of one host
	// apart; none where a host has just one.
	Labels []string
}

// Names of the three types of the classic contract.
const (
	CPU    = "cpu"
	Memory = "memory"
	Disk   = "disk"
)

// Types returns the built-in types, in the order in which people read them.
func Types() []Type { return slices.Clone(catalog) }

// Lookup returns the built-in type of that name.
func Lookup(name string) (Type, bool) {
	t, ok := byName[name]
	return t, ok
}
