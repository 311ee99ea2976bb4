package query

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/vitals-rpc/vitals/metric"
)

// Selector parses a series selector, such as cpu{hostname="web-1"}. The error is
// a [*ParseError].
func (e *Engine) Selector(text string) ([]*labels.Matcher, error) {
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
	if err != nil {
		return nil, e.plain(context.Background(), text, err)
	}
	return matchers, nil
}

// MetricTypes returns the names of the metric types that have samples between
// two times, of one host or, where hostname is empty, of any, in order.
func (e *Engine) MetricTypes(ctx context.Context, hostname string, start, end time.Time) ([]string, error) {
	querier, err := e.history.Querier(start.UnixMilli(), end.UnixMilli())
	if err != nil {
		return nil, err
	}
	var matchers []*labels.Matcher
	if hostname != "" {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, hostname))
	}
	names, _, err := querier.LabelValues(ctx, metric.TypeLabel, nil, matchers...)
	return names, errors.Join(err, querier.Close())
}
