package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"
)

// ParseError says where an expression is wrong.
type ParseError struct {
	// Line and Column are counted from 1, the column in characters.
	Line, Column int
	// Offset and End are the wrong part's place in bytes, counted from 0; End is
	// not included.
	Offset, End int
	// Near is the wrong part, empty at the end of the expression.
	Near string
	// Reason is what is wrong with it.
	Reason string
}

func (e *ParseError) Error() string {
	near := "at its end"
	if e.Near != "" {
		near = fmt.Sprintf("near %q", e.Near)
	}
	return fmt.Sprintf("the expression is wrong at line %d, column %d, %s: %s", e.Line, e.Column, near, e.Reason)
}

func newParseError(expr string, err parser.ParseErr) *ParseError {
	start := min(max(0, int(err.PositionRange.Start)), len(expr))
	end := min(max(start, int(err.PositionRange.End)), len(expr))
	// Of a bracket too many the parser may name the place behind it.
	_, extra, isExtra := strings.Cut(strings.TrimSuffix(err.Err.Error(), "'"), "unexpected right parenthesis '")
	if isExtra && !strings.HasPrefix(expr[start:], extra) && strings.HasSuffix(expr[:start], extra) {
		start, end = start-len(extra), start
	}
	before := expr[:start]
	line := strings.LastIndexByte(before, '\n') + 1
	return &ParseError{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[line:]) + 1,
		Offset: start, End: end, Near: expr[start:end],
		Reason: err.Err.Error(),
	}
}

// LimitError says which limit a query has reached and how to stay below it.
type LimitError struct {
	// What is limited, such as "series" or "time".
	What string
	// Limit is the most of it, as people write it.
	Limit string
	// Hint says what to change about the query.
	Hint string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the query reaches the limit of %s (%s): %s", e.What, e.Limit, e.Hint)
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
