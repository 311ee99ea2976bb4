package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/prometheus/common/model"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

const nameLabel = metric.TypeLabel

// whenLayouts are the ways to write a time in this machine's time zone.
var whenLayouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}

// parseWhen reads a time as a person writes it; what names it in an error.
func parseWhen(what, text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		if d, err := model.ParseDuration(ago); err == nil {
			return now.Add(-time.Duration(d)), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range whenLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && s >= 0 && s < 1e11 {
		return time.UnixMilli(int64(s * 1000)), nil
	}
	return time.Time{}, fmt.Errorf("%s %q is no time such as 2026-11-22T14:00:00Z, '2026-11-22 14:00', 14:00, -30m or 1795353600", what, text)
}

// How a message names a place in an expression: the server's own way, and the
// PromQL parser's.
var (
	placeInWords = regexp.MustCompile(`line (\d+), column (\d+)(?:, near ("(?:[^"\\]|\\.)*"))?`)
	placeInShort = regexp.MustCompile(`\b(\d+):(\d+): parse error`)
)

// pointAt adds the expression to an error that names a place in it, with a caret
// under the place.
func pointAt(err error, expr string) error {
	rpc, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err
	}
	match := placeInWords.FindStringSubmatch(rpc.Message())
	if match == nil {
		match = append(placeInShort.FindStringSubmatch(rpc.Message()), "")
	}
	if len(match) < 4 {
		return err
	}
	line, _ := strconv.Atoi(match[1])
	column, _ := strconv.Atoi(match[2])
	near, _ := strconv.Unquote(match[3])
	lines := strings.Split(expr, "\n")
	if line < 1 || line > len(lines) || column < 1 {
		return err
	}
	text := []rune(plainText(lines[line-1]))
	column = min(column-1, len(text))
	near, _, _ = strings.Cut(near, "\n")
	carets := min(max(ansi.StringWidth(near), 1), max(1, ansi.StringWidth(string(text[column:]))))
	return fmt.Errorf("%w\n  %s\n  %s%s", err, string(text), strings.Repeat(" ", ansi.StringWidth(string(text[:column]))), strings.Repeat("^", carets))
}

// promName writes a result's labels as PromQL does: cpu{hostname="web-1"}.
func promName(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != nameLabel {
			parts = append(parts, name+"="+strconv.Quote(labels[name]))
		}
	}
	if len(parts) == 0 && labels[nameLabel] != "" {
		return labels[nameLabel]
	}
	return labels[nameLabel] + "{" + strings.Join(parts, ", ") + "}"
}

func builtInUnit(name string) (unit string, known bool) {
	t, known := metric.Lookup(name)
	return string(t.Unit), known
}

// resultValue writes a value with all the digits that mean something.
func resultValue(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }

// printResult writes a row a series, or over a range a row a series and time.
func printResult(out io.Writer, res *monitoringv1.QueryPromQLResponse, units map[string]string) error {
	switch res.GetResultType() {
	case monitoringv1.ResultType_RESULT_TYPE_STRING:
		_, err := fmt.Fprintln(out, res.GetText())
		return err
	case monitoringv1.ResultType_RESULT_TYPE_SCALAR:
		for _, s := range res.GetSeries() {
			for _, v := range s.GetValues() {
				fmt.Fprintln(out, resultValue(v))
			}
		}
		return nil
	}
	matrix := res.GetResultType() == monitoringv1.ResultType_RESULT_TYPE_MATRIX
	withUnit := slices.ContainsFunc(slices.Collect(maps.Values(units)), func(u string) bool { return u != "" })
	head := []string{"SERIES", "VALUE"}
	if matrix {
		head = []string{"TIME", "SERIES", "VALUE"}
	}
	if withUnit {
		head = append(head, "UNIT")
	}
	rows := [][]string{head}
	for _, s := range res.GetSeries() {
		name, unit := promName(s.GetLabels()), units[s.GetLabels()[nameLabel]]
		for i, v := range s.GetValues() {
			var row []string
			if matrix {
				row = append(row, time.UnixMilli(int64(s.GetTimes()[i]*1000+0.5)).Format(time.DateTime))
			}
			row = append(row, name, resultValue(v))
			if withUnit {
				row = append(row, unit)
			}
			rows = append(rows, row)
		}
	}
	return printTable(out, rows...)
}
