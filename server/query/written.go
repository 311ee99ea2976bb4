package query

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/vitals-rpc/vitals/metric"
)

// The engine counts the samples that a query holds. What follows bounds what it
// takes by what is written, whatever is stored, and so before it is evaluated.
const (
	// defaultSubqueryStep is a subquery's step where none is given.
	defaultSubqueryStep = time.Minute
	// mostNested is how deep calls, signs and brackets may nest. Each level goes
	// over all samples, and some without a look at the time.
	mostNested = 100
	// mostLabelBytes is what label_replace and label_join may add to the labels of a
	// series: they can copy a value many times, and each other's result again.
	mostLabelBytes = 64 << 10
	// mostVisits is how often functions may go over the steps of subqueries, which
	// they do for a series without a look at the time.
	mostVisits = 1_000_000_000
	// mostPatternSize is how much the regular expressions of a query may come to
	// when their repetitions are written out, as compiling them does. The longest
	// query has no more without any.
	mostPatternSize = 20_000
)

// checkPatterns refuses regular expressions that are too large to be compiled,
// which the parser does.
func checkPatterns(expr string) error {
	if !strings.Contains(expr, "{") {
		return nil
	}
	total := 0
	lexer := parser.Lex(expr)
	for {
		var item parser.Item
		switch lexer.NextItem(&item); item.Typ {
		case parser.EOF, parser.ERROR:
			return nil // the parser says what is wrong
		case parser.STRING:
			if total += patternSize(item.Val); total <= mostPatternSize {
				continue
			}
			place := newPlace(expr, posrange.PositionRange{Start: item.Pos, End: item.Pos + posrange.Pos(len(item.Val))})
			return &LimitError{
				What: "parts of regular expressions", Limit: fmt.Sprint(mostPatternSize), Place: &place,
				Hint: "repeat less in them, as with * in place of {0,1000}",
			}
		}
	}
}

// patternSize is the size of a quoted regular expression, 0 where it is none or
// repeats nothing.
func patternSize(quoted string) int {
	if !strings.Contains(quoted, "{") {
		return 0
	}
	text, err := strutil.Unquote(quoted)
	if err != nil {
		return 0
	}
	parsed, err := syntax.Parse(text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return 0
	}
	return sizeOf(parsed)
}

func sizeOf(re *syntax.Regexp) int {
	size := 1
	if re.Op == syntax.OpLiteral {
		size = len(re.Rune)
	}
	for _, sub := range re.Sub {
		size += sizeOf(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

// written walks over an expression as the engine will evaluate it.
type written struct {
	expr    string
	options Options
	steps   int64 // of all subqueries
	visits  int64 // of those steps by the windows over them
}

// moments are the times for which an expression is evaluated: so many, over so
// many milliseconds.
type moments struct{ count, width int64 }

// added is what functions add to the labels of a series: the longest value there
// may be, and all together.
type added struct{ longest, total int64 }

// check walks over an expression that is evaluated at those moments.
func (w *written) check(node parser.Node, at moments, depth int) (added, error) {
	switch n := node.(type) {
	case *parser.StepInvariantExpr:
		return w.check(n.Expr, moments{count: 1}, depth)
	case *parser.SubqueryExpr:
		return w.subquery(n, at, depth)
	case *parser.BinaryExpr:
		return w.children(n, at, depth) // a long sum nests to the left
	}
	if depth++; depth > mostNested {
		return added{}, w.limit(node, "levels of calls, signs and brackets", mostNested, "take out what is not needed, or ask in parts")
	}
	labels, err := w.children(node, at, depth)
	call, ok := node.(*parser.Call)
	if err != nil || !ok {
		return labels, err
	}
	return w.call(call, labels)
}

func (w *written) children(node parser.Node, at moments, depth int) (added, error) {
	all := added{longest: metric.MaxLabelValueBytes}
	for child := range parser.ChildrenIter(node) {
		one, err := w.check(child, at, depth)
		if err != nil {
			return added{}, err
		}
		all.longest, all.total = max(all.longest, one.longest), all.total+one.total
	}
	return all, nil
}

// subquery counts what the engine keeps of each of a subquery's steps, in one grid
// for all moments, and how often it goes over them.
func (w *written) subquery(n *parser.SubqueryExpr, at moments, depth int) (added, error) {
	step := n.Step
	if step == 0 {
		step = defaultSubqueryStep
	}
	if step < time.Millisecond {
		return added{}, &ParseError{Place: w.place(n), Reason: "the step of a subquery must be at least a millisecond"}
	}
	length := n.Range.Milliseconds()
	width := at.width + length
	steps := width/step.Milliseconds() + 1
	w.steps += steps
	if most := int64(w.options.MaxSubquerySteps); w.steps > most {
		return added{}, w.limit(n, "steps of subqueries", most, fmt.Sprintf("it comes to %d; take a longer step in the brackets, or a shorter range", w.steps))
	}
	w.visits += at.count * (length/step.Milliseconds() + 1)
	if w.visits > mostVisits {
		return added{}, w.limit(n, "steps in the windows of subqueries", mostVisits, fmt.Sprintf("they come to %d; take a longer step, or a shorter range in the brackets", w.visits))
	}
	return w.check(n.Expr, moments{count: steps, width: width}, depth+1)
}

// call counts what a call adds to labels.
func (w *written) call(n *parser.Call, labels added) (added, error) {
	var copies, text int64
	switch n.Func.Name {
	case "label_replace":
		replacement := literal(n.Args[2])
		copies, text = int64(strings.Count(replacement, "$")), int64(len(replacement))
	case "label_join":
		copies = int64(len(n.Args) - 3)
		text = copies * int64(len(literal(n.Args[2])))
	default:
		return labels, nil
	}
	value := copies*labels.longest + text
	labels.longest, labels.total = max(labels.longest, value), labels.total+value
	if labels.total > mostLabelBytes {
		return added{}, w.limit(n, "bytes that functions add to labels", mostLabelBytes, "copy fewer labels, or shorter ones")
	}
	return labels, nil
}

func literal(expr parser.Expr) string {
	switch e := expr.(type) {
	case *parser.StringLiteral:
		return e.Val
	case *parser.ParenExpr:
		return literal(e.Expr)
	case *parser.StepInvariantExpr:
		return literal(e.Expr)
	}
	return ""
}

func (w *written) limit(node parser.Node, what string, most int64, hint string) error {
	place := w.place(node)
	return &LimitError{What: what, Limit: fmt.Sprint(most), Hint: hint, Place: &place}
}

func (w *written) place(node parser.Node) Place { return newPlace(w.expr, node.PositionRange()) }
