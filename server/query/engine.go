// Package query answers PromQL over any history that Prometheus' engine can
// read, within limits, in plain values and with errors that say what to change.
package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// Options are the limits of a query. The zero value of each field means its
// default.
type Options struct {
	// MaxSamples is the most samples that a query may hold in memory at once:
	// 50 million by default, at 16 bytes each.
	MaxSamples int
	// MaxSeries is the most series that a query may read: 10,000 by default.
	MaxSeries int
	// MaxPoints is the most steps of a range query: 11,000 by default.
	MaxPoints int
	// MaxSubquerySteps is the most steps of all subqueries of a query: a million by
	// default, at 16 bytes each.
	MaxSubquerySteps int
	// Timeout is how long a query may take: 30 seconds by default. The context's
	// deadline holds as well.
	Timeout time.Duration
	// Lookback is how old the newest sample of a series may be to count as its
	// value at a moment: 5 minutes by default.
	Lookback time.Duration
	// Logger gets what the engine has to say; nil means nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxSamples, 50_000_000)
	setDefault(&o.MaxSeries, 10_000)
	setDefault(&o.MaxPoints, 11_000)
	setDefault(&o.MaxSubquerySteps, 1_000_000)
	setDefault(&o.Timeout, 30*time.Second)
	setDefault(&o.Lookback, 5*time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T int | time.Duration](value *T, standard T) {
	if *value <= 0 {
		*value = standard
	}
}

// Engine evaluates PromQL. It may be used by many goroutines and needs no
// closing.
type Engine struct {
	engine  *promql.Engine
	history storage.Queryable
	options Options
}

// New returns an engine that reads history.
func New(history storage.Queryable, o Options) *Engine {
	o = o.withDefaults()
	return &Engine{
		history: history,
		options: o,
		engine: promql.NewEngine(promql.EngineOpts{
			Logger:        o.Logger,
			MaxSamples:    o.MaxSamples,
			Timeout:       o.Timeout,
			LookbackDelta: o.Lookback,
			NoStepSubqueryIntervalFn: func(int64) int64 {
				return defaultSubqueryStep.Milliseconds()
			},
			EnableAtModifier:     true,
			EnableNegativeOffset: true,
			Parser:               parser.NewParser(parser.Options{}),
		}),
	}
}

// Instant evaluates an expression at one moment. The result is a scalar, a
// string, a vector (a point each series) or, of a range selector, a matrix.
//
// The error is a [*ParseError] if the expression is wrong, an [*EvaluationError]
// if it cannot be evaluated on the samples that there are, a [*LimitError] if a
// limit was reached, a [*StorageError] if the history cannot be read, the
// context's if that has ended.
func (e *Engine) Instant(ctx context.Context, expr string, at time.Time) (Result, error) {
	if err := checkTime(at); err != nil {
		return Result{}, err
	}
	if err := checkPatterns(expr); err != nil {
		return Result{}, err
	}
	q, err := e.engine.NewInstantQuery(ctx, e.limited(), nil, expr, at)
	if err != nil {
		return Result{}, e.plain(ctx, expr, err)
	}
	return e.exec(ctx, expr, q)
}

// Range evaluates an expression at start and each step after it up to end, both
// included. The result is a matrix. Errors are those of [Engine.Instant], and a
// [*RangeError] if the times make no sense.
func (e *Engine) Range(ctx context.Context, expr string, start, end time.Time, step time.Duration) (Result, error) {
	if err := e.checkRange(start, end, step); err != nil {
		return Result{}, err
	}
	if err := checkPatterns(expr); err != nil {
		return Result{}, err
	}
	q, err := e.engine.NewRangeQuery(ctx, e.limited(), nil, expr, start, end, step)
	if err != nil {
		return Result{}, e.plain(ctx, expr, err)
	}
	return e.exec(ctx, expr, q)
}

// The engine counts in nanoseconds in places, of which an int64 holds some centuries.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

func checkTime(at time.Time) error {
	if at.Before(earliest) || at.After(latest) {
		return &RangeError{fmt.Sprintf("the time %d, in seconds since 1970, is not between the years %d and %d", at.Unix(), earliest.Year(), latest.Year())}
	}
	return nil
}

func (e *Engine) checkRange(start, end time.Time, step time.Duration) error {
	if err := cmp.Or(checkTime(start), checkTime(end)); err != nil {
		return err
	}
	switch {
	case end.Before(start):
		return &RangeError{fmt.Sprintf("the range ends at %s, before it starts at %s", end.UTC().Format(time.RFC3339), start.UTC().Format(time.RFC3339))}
	case step < time.Millisecond:
		return &RangeError{fmt.Sprintf("the step is %v; it must be at least a millisecond", step)}
	}
	if points := int64(end.Sub(start)/step) + 1; points > int64(e.options.MaxPoints) {
		least := (end.Sub(start)/time.Duration(e.options.MaxPoints) + time.Second).Truncate(time.Second)
		return &LimitError{
			What: "points of a series", Limit: fmt.Sprint(e.options.MaxPoints),
			Hint: fmt.Sprintf("it asks for %d; take a step of %v or more, or a shorter range", points, least),
		}
	}
	return nil
}

func (e *Engine) exec(ctx context.Context, expr string, q promql.Query) (Result, error) {
	defer q.Close()
	if stmt, ok := q.Statement().(*parser.EvalStmt); ok {
		at := moments{count: 1}
		if stmt.Interval > 0 {
			at.width = stmt.End.Sub(stmt.Start).Milliseconds()
			at.count = at.width/stmt.Interval.Milliseconds() + 1
		}
		w := written{expr: expr, options: e.options}
		if _, err := w.check(stmt.Expr, at, 0); err != nil {
			return Result{}, err
		}
	}
	r := q.Exec(ctx)
	if r.Err != nil {
		return Result{}, e.plain(ctx, expr, r.Err)
	}
	out, err := newResult(expr, r)
	out.Newest = newest(q)
	return out, err
}

// newest is the latest moment that a query reads of, or is asked for.
func newest(q promql.Query) int64 {
	stmt, ok := q.Statement().(*parser.EvalStmt)
	if !ok {
		return math.MaxInt64 - 1 // it cannot be told
	}
	_, latest := promql.FindMinMaxTime(stmt)
	return max(latest, stmt.End.UnixMilli())
}

// plain says the engine's errors in the domain's terms.
func (e *Engine) plain(ctx context.Context, expr string, err error) error {
	if errs, ok := errors.AsType[parser.ParseErrors](err); ok && len(errs) > 0 {
		return newParseError(expr, errs[0])
	}
	if one, ok := errors.AsType[*parser.ParseErr](err); ok {
		return newParseError(expr, *one)
	}
	stored, ofStorage := errors.AsType[promql.ErrStorage](err)
	if ofStorage {
		err = stored.Err
	}
	if limit, ok := errors.AsType[*LimitError](err); ok {
		return limit
	}
	if _, ok := errors.AsType[promql.ErrTooManySamples](err); ok {
		return &LimitError{
			What: "samples", Limit: fmt.Sprint(e.options.MaxSamples),
			Hint: "narrow the selector, take a shorter range or a longer step",
		}
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("the query was given up: %w", cause)
	}
	if _, ok := errors.AsType[promql.ErrQueryTimeout](err); ok {
		return &LimitError{
			What: "time", Limit: e.options.Timeout.String(),
			Hint: "narrow the selector, take a shorter range or a longer step",
		}
	}
	if !ofStorage {
		return &EvaluationError{Reason: err.Error()}
	}
	return &StorageError{err}
}
