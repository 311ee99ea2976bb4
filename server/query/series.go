package query

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"github.com/vitals-rpc/vitals/metric"
)

// Selector parses a series selector, such as cpu{hostname="web-1"}. It has to
// select something, as in an expression. The error is a [*ParseError], or a
// [*LimitError].
func (e *Engine) Selector(text string) ([]*labels.Matcher, error) {
	if err := checkPatterns(text); err != nil {
		return nil, err
	}
	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(text)
	if err != nil {
		return nil, e.plain(context.Background(), text, err)
	}
	if reason := selectsNothing(text, matchers); reason != "" {
		whole := posrange.PositionRange{End: posrange.Pos(len(text))}
		return nil, &ParseError{Place: newPlace(text, whole), Reason: reason}
	}
	return matchers, nil
}

// selectsNothing says of selectors that select nothing, or all by mistake, what
// the parser says of them in an expression.
func selectsNothing(text string, matchers []*labels.Matcher) (reason string) {
	names, nonEmpty := 0, false
	for _, m := range matchers {
		if m.Name == metric.TypeLabel {
			names++
		}
		nonEmpty = nonEmpty || !m.Matches("")
	}
	switch {
	case !nonEmpty:
		return "a selector must contain at least one non-empty matcher"
	case names > 1 && isNamed(text):
		return "the metric name must not be set twice"
	}
	return ""
}

// isNamed says whether a selector has a name before its braces.
func isNamed(selector string) bool {
	lexer, item := parser.Lex(selector), parser.Item{Typ: parser.COMMENT}
	for item.Typ == parser.COMMENT {
		lexer.NextItem(&item)
	}
	return item.Typ != parser.LEFT_BRACE
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
	if err = errors.Join(err, querier.Close()); err != nil && ctx.Err() == nil {
		err = &StorageError{err}
	}
	return names, err
}
