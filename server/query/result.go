package query

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/vitals-rpc/vitals/metric"
)

// Kind says what an expression gives.
type Kind uint8

// The kinds of results.
const (
	// Vector has one point a series, all of one moment.
	Vector Kind = iota
	// Matrix has any number of points a series.
	Matrix
	// Scalar is one series without labels and with one point.
	Scalar
	// String is a text.
	String
)

// String returns "vector", "matrix", "scalar" or "string".
func (k Kind) String() string {
	return [...]string{"vector", "matrix", "scalar", "string"}[k]
}

// Result is what an expression gives.
type Result struct {
	Kind Kind
	// Series are in the order that the expression asks for, else by labels.
	Series []Series
	// Text is the value of a String.
	Text string
	// Warnings say what to keep in mind about the answer, such as that a part of
	// it was made of averages; Infos say what the expression probably means
	// otherwise. Both are sorted.
	Warnings, Infos []string
	// Newest is the latest moment that the answer depends on, in milliseconds since
	// the Unix epoch: the end of its range, or later where the expression looks
	// ahead.
	Newest int64
}

// Series is a list of points with their labels, the metric's name (__name__)
// among them where the expression leaves it.
type Series struct {
	Labels metric.Labels
	Points []Point
}

// Point is a value at a moment.
type Point struct {
	// Time is in milliseconds since the Unix epoch.
	Time int64
	// Value may be NaN or infinite, as PromQL has it (0/0).
	Value float64
}

func newResult(expr string, r *promql.Result) (Result, error) {
	var out Result
	out.Warnings, out.Infos = r.Warnings.AsStrings(expr, 0, 0)
	slices.Sort(out.Warnings)
	slices.Sort(out.Infos)
	switch v := r.Value.(type) {
	case promql.Vector:
		out.Kind = Vector
		for _, s := range v {
			out.Series = append(out.Series, Series{toLabels(s.Metric), []Point{{s.T, s.F}}})
		}
	case promql.Matrix:
		out.Kind = Matrix
		for _, s := range v {
			points := make([]Point, len(s.Floats))
			for i, p := range s.Floats {
				points[i] = Point{p.T, p.F}
			}
			out.Series = append(out.Series, Series{toLabels(s.Metric), points})
		}
	case promql.Scalar:
		out.Kind = Scalar
		out.Series = []Series{{Points: []Point{{v.T, v.V}}}}
	case promql.String:
		out.Kind, out.Text = String, v.V
	default:
		return out, fmt.Errorf("the expression gives a %s, which cannot be returned", v.Type())
	}
	return out, nil
}

func toLabels(ls labels.Labels) (out metric.Labels) {
	ls.Range(func(l labels.Label) { out = append(out, metric.Label{Name: l.Name, Value: l.Value}) })
	return out
}
