package query

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// ParseError says where an expression is wrong.
type ParseError struct {
	// Place is the wrong part.
	Place
	// Reason is what is wrong with it.
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("the expression is wrong %v: %s", e.Place, e.Reason)
}

func newParseError(expr string, err parser.ParseErr) *ParseError {
	at := err.PositionRange
	// Of a bracket too many the parser may name the place behind it.
	_, extra, isExtra := strings.Cut(strings.TrimSuffix(err.Err.Error(), "'"), "unexpected right parenthesis '")
	start := min(max(0, int(at.Start)), len(expr))
	if isExtra && !strings.HasPrefix(expr[start:], extra) && strings.HasSuffix(expr[:start], extra) {
		at = posrange.PositionRange{Start: posrange.Pos(start - len(extra)), End: posrange.Pos(start)}
	}
	return &ParseError{Place: newPlace(expr, at), Reason: err.Err.Error()}
}

// LimitError says which limit a query has reached and how to stay below it.
type LimitError struct {
	// What is limited, such as "series" or "time".
	What string
	// Limit is the most of it, as people write it.
	Limit string
	// Hint says what to change about the query.
	Hint string
	// Place is the part of the expression that reaches it; nil where no part does
	// alone.
	Place *Place
}

func (e *LimitError) Error() string {
	where := ""
	if e.Place != nil {
		where = " " + e.Place.String()
	}
	return fmt.Sprintf("the query reaches the limit of %s (%s)%s: %s", e.What, e.Limit, where, e.Hint)
}

// EvaluationError says that an expression parses but cannot be evaluated on the
// samples that it selects, as where it matches series one to one of which there
// are several.
type EvaluationError struct {
	Reason string
}

func (e *EvaluationError) Error() string {
	return "the expression cannot be evaluated: " + e.Reason
}

// RangeError says that the times of a range query make no sense.
type RangeError struct {
	Reason string
}

func (e *RangeError) Error() string { return e.Reason }

// StorageError says that the history could not be read, which is not the query's
// fault.
type StorageError struct {
	Err error
}

func (e *StorageError) Error() string { return "the query cannot be answered: " + e.Err.Error() }

// Unwrap returns what the history said.
func (e *StorageError) Unwrap() error { return e.Err }
