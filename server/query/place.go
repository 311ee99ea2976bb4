package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser/posrange"
)

// Place is a part of an expression.
type Place struct {
	// Line and Column are counted from 1, the column in characters.
	Line, Column int
	// Offset and End are the part's place in bytes, counted from 0; End is not
	// included.
	Offset, End int
	// Near is the part, empty at the end of the expression.
	Near string
}

func newPlace(expr string, at posrange.PositionRange) Place {
	start := min(max(0, int(at.Start)), len(expr))
	end := min(max(start, int(at.End)), len(expr))
	before := expr[:start]
	line := strings.LastIndexByte(before, '\n') + 1
	return Place{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[line:]) + 1,
		Offset: start, End: end, Near: expr[start:end],
	}
}

// String is for messages, in which a long part is cut short.
func (p Place) String() string {
	near := "at its end"
	if p.Near != "" {
		near = fmt.Sprintf("near %.200q", p.Near)
	}
	return fmt.Sprintf("at line %d, column %d, %s", p.Line, p.Column, near)
}
