// Package metric is the domain: what a series and a sample are, which metric
// types are built in and what their units mean. It knows nothing of storage,
// transport or collection; everything else is written in its terms.
package metric

import (
	"slices"
	"strconv"
	"strings"
)

// Names of the labels that every series has, as they appear in PromQL. The
// metric type is the Prometheus metric name.
const (
	// TypeLabel holds the metric type.
	TypeLabel = "__name__"
	// HostLabel holds the name of the host that the series describes.
	HostLabel = "hostname"
)

// Label is one name and value that tells two series of the same type and host
// apart, such as core="0".
type Label struct {
	Name, Value string
}

// Labels is a set of labels: sorted by name, each name once. Make one with
// [NewLabels].
type Labels []Label

// NewLabels makes a label set of name, value pairs: NewLabels("core", "0").
// A label with an empty value is the same as no label and is left out; of two
// with one name the later holds. It panics when a value is missing, which is a
// mistake in the calling code.
func NewLabels(pairs ...string) Labels {
	if len(pairs)%2 != 0 {
		panic("metric: NewLabels needs a value for each name")
	}
	labels := slices.Grow(Labels(nil), len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		labels = append(labels, Label{pairs[i], pairs[i+1]})
	}
	return labels.normalized()
}

func (ls Labels) normalized() Labels {
	slices.SortStableFunc(ls, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	out := ls[:0]
	for i, l := range ls {
		if i+1 < len(ls) && ls[i+1].Name == l.Name {
			continue
		}
		if l.Value != "" {
			out = append(out, l)
		}
	}
	return out
}

// Get returns the value of the named label, or "" if the set has none.
func (ls Labels) Get(name string) string {
	for _, l := range ls {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Series identifies one time series: a metric type on a host, told apart from
// its siblings by further labels. A Series is immutable once made, so it is
// shared by pointer: two samples of one series hold the same *Series where one
// producer made them, and an equal Key wherever they came from.
type Series struct {
	// Type is the metric's name, such as "cpu"; see [Lookup] for the built-in
	// ones.
	Type string
	// Host is the name of the host that was measured.
	Host string
	// Labels are the further labels, or nil.
	Labels Labels

	key string
}

// NewSeries makes a series. It takes ownership of labels, which need not be
// sorted.
func NewSeries(metricType, host string, labels Labels) *Series {
	s := &Series{Type: metricType, Host: host, Labels: labels.normalized()}
	size := len(s.Type) + 1 + len(s.Host)
	for _, l := range s.Labels {
		size += 2 + len(l.Name) + len(l.Value)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(s.Type)
	b.WriteByte(0xff)
	b.WriteString(s.Host)
	for _, l := range s.Labels {
		b.WriteByte(0xff)
		b.WriteString(l.Name)
		b.WriteByte(0xff)
		b.WriteString(l.Value)
	}
	s.key = b.String()
	return s
}

// Key is a string that is equal for equal series and differs for all others.
// Use it as a map key; its bytes mean nothing else.
func (s *Series) Key() string { return s.key }

// String writes the series as PromQL has it: cpu_core{hostname="web-1", core="0"}.
func (s *Series) String() string {
	var b strings.Builder
	b.WriteString(s.Type)
	b.WriteString("{" + HostLabel + "=")
	b.WriteString(strconv.Quote(s.Host))
	for _, l := range s.Labels {
		b.WriteString(", " + l.Name + "=")
		b.WriteString(strconv.Quote(l.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// Sample is one observation of a series.
type Sample struct {
	Series *Series
	// Time is when it was observed, in milliseconds since the Unix epoch.
	Time int64
	// Value is in the unit of the series' type; it is finite.
	Value float64
}
