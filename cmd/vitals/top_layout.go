package main

import (
	"fmt"
	"math"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// cpuWidth is the width of a percentage.
const cpuWidth = 5

// topLayout is the columns that fit in a width, HOST first.
type topLayout struct {
	columns []topColumn
	widths  [columnCount]int
	spark   int // cells of the sparkline after the CPU value
	compact bool
}

// newTopLayout finds the columns that fit. What matters least goes first: tags,
// the sparkline, load, the network.
func newTopLayout(width int, rows []topRow) topLayout {
	l := topLayout{compact: width < 110}
	l.widths = [columnCount]int{columnStatus: 9, columnCPU: cpuWidth, columnMemory: 10, columnDisk: 10, columnIn: 7, columnOut: 7, columnLoad: 5}
	if !l.compact {
		l.widths[columnMemory], l.widths[columnDisk], l.widths[columnIn], l.widths[columnOut] = 13, 13, 10, 10
	}
	longest, tags := 4, 0
	for i := range rows {
		longest = max(longest, ansi.StringWidth(rows[i].name))
		tags = max(tags, ansi.StringWidth(rows[i].tags))
	}
	left := width
	for _, c := range []topColumn{columnStatus, columnCPU, columnMemory, columnDisk, columnIn, columnOut, columnLoad} {
		if left-l.widths[c]-1 < 10 {
			l.widths[c] = 0
			continue
		}
		left -= l.widths[c] + 1
	}
	l.spark = min(max(left-12-1, 0), 6)
	l.widths[columnCPU] += l.spark
	if l.spark > 0 {
		l.widths[columnCPU]++
		left -= l.spark + 1
	}
	l.widths[columnHost] = min(longest, 32, left)
	left -= l.widths[columnHost]
	if tags > 0 && left > 6 {
		l.widths[columnTags] = min(max(tags, 4), left-1)
		left -= l.widths[columnTags] + 1
	}
	if l.spark > 0 && left > 0 {
		more := min(left, 34)
		l.spark += more
		l.widths[columnCPU] += more
	}
	for c := range columnCount {
		if l.widths[c] > 0 {
			l.columns = append(l.columns, c)
		}
	}
	return l
}

// head is the line of the columns' names, each with its key underlined, and an
// arrow at the one that is sorted by.
func (l *topLayout) head(t *topTable) string {
	var cells []string
	for _, c := range l.columns {
		text := topColumns[c].head
		marked := text
		if t.sort == c {
			arrow := "▼"
			if t.reverse != (c == columnHost || c == columnTags) {
				arrow = "▲"
			}
			marked += arrow
		}
		at := strings.Index(strings.ToLower(text), topColumns[c].key)
		styled := styleHead.Render(marked[:at]) + styleKey.Render(marked[at:at+1]) + styleHead.Render(marked[at+1:])
		if c == columnCPU {
			styled = padLeft(styled, cpuWidth)
		}
		cells = append(cells, l.align(c, styled))
	}
	return strings.Join(cells, " ")
}

// align puts text at its side of the column: numbers to the right.
func (l *topLayout) align(c topColumn, text string) string {
	switch c {
	case columnHost, columnStatus, columnTags, columnCPU:
		return padRight(text, l.widths[c])
	}
	return padLeft(text, l.widths[c])
}

// row draws a host. Without a stream nobody knows its status.
func (l *topLayout) row(r *topRow, selected, live bool) string {
	late := !live || r.status != monitoringv1.HostStatus_HOST_STATUS_UP
	var cells []string
	for _, c := range l.columns {
		text, style := l.cell(c, r, live)
		text = l.align(c, text)
		if !selected && !late || c == columnStatus && live && !selected {
			text = style.Render(text)
		} else if late && !selected {
			text = styleDim.Render(text)
		}
		cells = append(cells, text)
	}
	line := strings.Join(cells, " ")
	switch {
	case selected && late:
		return styleBar.Faint(true).Render(line)
	case selected:
		return styleBar.Render(line)
	}
	return line
}

// cell is the text of a column and its style.
func (l *topLayout) cell(c topColumn, r *topRow, live bool) (string, lipgloss.Style) {
	switch c {
	case columnHost:
		return plainText(r.name), stylePlain
	case columnStatus:
		return statusCell(r, live), statusStyle(r.status)
	case columnCPU:
		return l.cpuCell(r)
	case columnMemory:
		return usedOf(r.memory, r.memoryFull, l.compact), levelStyle(100 * r.memory / r.memoryFull)
	case columnDisk:
		return usedOf(r.disk, r.diskFull, l.compact), levelStyle(100 * r.disk / r.diskFull)
	case columnIn:
		return l.rate(r.in), stylePlain
	case columnOut:
		return l.rate(r.out), stylePlain
	case columnLoad:
		return orBlank(r.load, func(v float64) string { return fmt.Sprintf("%.2f", v) }), stylePlain
	}
	return plainText(r.tags), styleDim
}

// cpuCell is the value and, where there is room, the sparkline.
func (l *topLayout) cpuCell(r *topRow) (string, lipgloss.Style) {
	if r.cpu == nil {
		return "", stylePlain
	}
	v := r.cpu.last().value
	text := fmt.Sprintf("%5s", readable(v, metric.Percent))
	if v >= 99.95 {
		text = " 100%" // all five cells, and no more
	}
	if l.spark > 0 {
		text += " " + r.cpu.spark(l.spark)
	}
	return text, levelStyle(v)
}

func (l *topLayout) rate(v float64) string {
	return orBlank(v, func(v float64) string {
		if l.compact {
			return stepped(v, "") + "B/s"
		}
		return readable(v, metric.BytesPerSecond)
	})
}

// orBlank writes a value, or nothing where it is not known.
func orBlank(v float64, write func(float64) string) string {
	if math.IsNaN(v) {
		return ""
	}
	return write(v)
}

// statusCell is the status, with the age of the newest sample if that is old.
func statusCell(r *topRow, live bool) string {
	text := statusText(r.status)
	if !live {
		text = "?"
	}
	if (!live || r.status > monitoringv1.HostStatus_HOST_STATUS_UP) && r.age > 0 {
		text += " " + age(r.age)
	}
	if r.conflict && live && r.status == monitoringv1.HostStatus_HOST_STATUS_UP {
		text += " ×2"
	}
	return text
}

func statusText(s monitoringv1.HostStatus) string {
	switch s {
	case monitoringv1.HostStatus_HOST_STATUS_UP:
		return "up"
	case monitoringv1.HostStatus_HOST_STATUS_STALE:
		return "stale"
	case monitoringv1.HostStatus_HOST_STATUS_DOWN:
		return "down"
	}
	return "?"
}

func statusStyle(s monitoringv1.HostStatus) lipgloss.Style {
	switch s {
	case monitoringv1.HostStatus_HOST_STATUS_UP:
		return styleGood
	case monitoringv1.HostStatus_HOST_STATUS_STALE:
		return styleWarn
	case monitoringv1.HostStatus_HOST_STATUS_DOWN:
		return styleBad
	}
	return styleDim
}
