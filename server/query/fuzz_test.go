package query_test

import (
	"errors"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/query"
)

// expressions are what people type, and what they mistype.
var expressions = []string{
	``, `cpu`, `cpu{hostname="web-1"} > 80`, `{__name__=~"c.*",hostname!~"web-[02]"}`, `cpu{hostname="`, `{}`, `{hostname=""}`,
	`sum by (hostname) (rate(cpu[5m]))`, `topk(3, cpu) / on(hostname) group_left memory`, `max_over_time(cpu[1h:1s])[30m:1m]`,
	`cpu offset -5m @ end()`, `absent(nothing)`, `label_replace(cpu, "a", "$1", "hostname", "(.*)-.*")`, `histogram_quantile(.9, cpu)`,
	`quantile_over_time(2, cpu[10m])`, `vector(1) + scalar(cpu) ^ 2 % -NaN`, `count_values("v", cpu)`, `"a string"`, `1e309`, `cpu[999999y]`,
	`((((((((((cpu))))))))))`, `cpu and cpu or cpu unless cpu`, `'\xff'`, `cpu{le="\u00e9"} bool`, `predict_linear(cpu[10m], 1e300)`, `sort_desc(-cpu)`,
}

// told says whether an error is one that a caller is told.
func told(err error) bool {
	var parse *query.ParseError
	var evaluation *query.EvaluationError
	var limit *query.LimitError
	var times *query.RangeError
	return errors.As(err, &parse) || errors.As(err, &evaluation) || errors.As(err, &limit) || errors.As(err, &times)
}

// FuzzExpression evaluates any text as PromQL, as the box on the page and
// QueryPromQL do: it ends in its time, and its error is one of the caller's, never
// one of the server's.
func FuzzExpression(f *testing.F) {
	for _, seed := range expressions {
		f.Add(seed, int64(60_000))
	}
	f.Add(`cpu`, int64(0))
	f.Add(`cpu`, int64(-1))
	f.Add(`cpu`, int64(1))
	const timeout = 500 * time.Millisecond
	e := query.New(newHistory(f).Queryable(), query.Options{Timeout: timeout, MaxSamples: 100_000})
	f.Fuzz(func(t *testing.T, expr string, step int64) {
		start := time.Now()
		if _, err := e.Instant(t.Context(), expr, begin.Add(30*time.Minute)); err != nil && !told(err) {
			t.Errorf("%q: %v", expr, err)
		}
		if _, err := e.Range(t.Context(), expr, begin, begin.Add(time.Hour), time.Duration(step)*time.Millisecond); err != nil && !told(err) {
			t.Errorf("%q each %d ms: %v", expr, step, err)
		}
		if took := time.Since(start); took > 20*timeout { // the fuzzer has every core at work
			t.Errorf("%q each %d ms takes %s", expr, step, took)
		}
	})
}

// FuzzSelector parses any text as a selector, as QueryRange does.
func FuzzSelector(f *testing.F) {
	for _, seed := range expressions {
		f.Add(seed)
	}
	e := query.New(nil, query.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := e.Selector(text); err != nil && !told(err) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
