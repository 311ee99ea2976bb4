package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/vitals-rpc/vitals/metric"
)

// detailColumn is one value in a table with a line for each item.
type detailColumn struct {
	head, metricType string
	spark            bool // with a sparkline
}

// The widths of a column's value and of its sparkline.
func (c detailColumn) widths() (value, spark int) {
	if c.spark {
		return 10, 8
	}
	return 8, 0
}

// items draws a table: a line for each value of the label, a column for each
// type.
func (d *topDetail) items(label, head string, columns []detailColumn) {
	type item map[string]*topTrack
	items := map[string]item{}
	var order []string
	for _, c := range columns {
		d.use(c.metricType)
		for _, t := range d.host.series(c.metricType) {
			name := t.series.Labels.Get(label)
			if items[name] == nil {
				items[name] = item{}
				order = append(order, name)
			}
			items[name][c.metricType] = t
		}
	}
	if len(order) == 0 {
		return
	}
	slices.SortFunc(order, naturalCompare)
	nameWidth := len(head)
	for _, name := range order {
		nameWidth = min(max(nameWidth, ansi.StringWidth(name)), 20)
	}
	line := padRight(head, nameWidth)
	for i, c := range columns {
		value, spark := c.widths()
		if 2+ansi.StringWidth(line)+1+value+spark > d.width {
			columns = columns[:i] // the last ones matter least
			break
		}
		line += " " + padLeft(c.head, value)
		if c.spark {
			line += strings.Repeat(" ", spark+1)
		}
	}
	d.add("  %s", styleDim.Render(line))
	for _, name := range order {
		cells := []string{padRight(plainText(name), nameWidth)}
		for _, c := range columns {
			value, spark := c.widths()
			t := items[name][c.metricType]
			text := ""
			if t != nil {
				text = readable(t.last().value, t.unit)
			}
			cells = append(cells, padLeft(text, value))
			if c.spark {
				cells = append(cells, styleGraph.Render(t.spark(spark)))
			}
		}
		d.add("  %s", strings.Join(cells, " "))
	}
}

// disks shows the space by mount and the work by device.
func (d *topDetail) disks() {
	d.use(metric.Disk)
	mounts := d.host.series("disk_space_used")
	d.use("disk_space_used", "disk_space_total", "disk_space_free")
	if len(mounts) == 0 && len(d.host.series("disk_read")) == 0 {
		return
	}
	d.section("Disks")
	if len(mounts) > 0 {
		d.add("  %s", styleDim.Render(padRight("MOUNT", 24)+" "+padLeft("USED/TOTAL", 16)+" "+padLeft("FULL", 6)+" "+padLeft("FREE", 9)+"  DEVICE"))
	}
	for _, t := range mounts {
		mount := t.series.Labels.Get("mount")
		used := t.last().value
		total, free := d.host.find("disk_space_total", "mount", mount), d.host.find("disk_space_free", "mount", mount)
		// As df has it: of what users can have, not of what root keeps back.
		full := 100 * used / (used + free)
		d.add("  %s %s %s %s  %s", padRight(plainText(mount), 24), padLeft(usedOf(used, total, false), 16),
			levelStyle(full).Render(padLeft(orBlank(full, func(v float64) string { return fmt.Sprintf("%.0f%%", v) }), 6)),
			padLeft(orBlank(free, func(v float64) string { return readable(v, metric.GB) }), 9), styleDim.Render(plainText(t.series.Labels.Get("device"))))
	}
	d.items("device", "DEVICE", []detailColumn{
		{"READ", "disk_read", true}, {"WRITE", "disk_write", true}, {"BUSY", "disk_busy", false},
		{"READS", "disk_read_operations", false}, {"WRITES", "disk_write_operations", false},
	})
}

// network shows the interfaces; errors only where there are some.
func (d *topDetail) network() {
	d.use("network_receive_errors", "network_transmit_errors")
	if len(d.host.series("network_receive")) == 0 {
		return
	}
	d.section("Network")
	columns := []detailColumn{{"IN", "network_receive", true}, {"OUT", "network_transmit", true}}
	every := func(*metric.Series) bool { return true }
	if d.host.sum("network_receive_errors", every) > 0 || d.host.sum("network_transmit_errors", every) > 0 {
		columns = append(columns, detailColumn{"ERRS IN", "network_receive_errors", false}, detailColumn{"ERRS OUT", "network_transmit_errors", false})
	}
	columns = append(columns, detailColumn{"PKTS IN", "network_receive_packets", false}, detailColumn{"PKTS OUT", "network_transmit_packets", false})
	d.items("interface", "INTERFACE", columns)
}

// pressure shows the time in which tasks waited for a resource.
func (d *topDetail) pressure() {
	d.use("pressure")
	tracks := d.host.series("pressure")
	if len(tracks) == 0 {
		return
	}
	d.section("Pressure")
	var cells []string
	for _, t := range tracks {
		name := t.series.Labels.Get("resource") + " " + t.series.Labels.Get("kind")
		v := t.last().value
		style := stylePlain
		if v >= 10 {
			style = styleWarn
		}
		cells = append(cells, fmt.Sprintf("%s %s %s", styleDim.Render(padRight(plainText(name), 11)), style.Render(padLeft(readable(v, t.unit), 6)), styleGraph.Render(t.spark(12))))
	}
	d.grid(cells, 31)
}

// processes shows the busiest and the largest.
func (d *topDetail) processes() {
	d.use("process_cpu", "process_memory")
	byValue := func(a, b *topTrack) int { return cmp.Compare(b.last().value, a.last().value) }
	cpu, memory := d.host.round("process_cpu"), d.host.round("process_memory")
	if len(cpu)+len(memory) == 0 {
		return
	}
	slices.SortFunc(cpu, byValue)
	slices.SortFunc(memory, byValue)
	d.section("Processes, by name")
	cell := func(tracks []*topTrack, i int) string {
		if i >= len(tracks) {
			return strings.Repeat(" ", 34)
		}
		t := tracks[i]
		return padRight(plainText(labelText(t.series)), 24) + padLeft(readable(t.last().value, t.unit), 10)
	}
	d.add("  %s", styleDim.Render(padRight("BUSIEST", 24)+padLeft("CPU", 10)+"    "+padRight("LARGEST", 24)+padLeft("MEMORY", 10)))
	for i := range max(len(cpu), len(memory)) {
		d.add("  %s    %s", cell(cpu, i), cell(memory, i))
	}
}

// temperatures shows the sensors.
func (d *topDetail) temperatures() {
	d.use("temperature")
	tracks := d.host.series("temperature")
	if len(tracks) == 0 {
		return
	}
	d.section("Temperatures")
	var cells []string
	for _, t := range tracks {
		cells = append(cells, fmt.Sprintf("%s %s %s", styleDim.Render(padRight(plainText(labelText(t.series)), 20)), padLeft(readable(t.last().value, t.unit), 9), styleGraph.Render(t.sparkBetween(8))))
	}
	d.grid(cells, 39)
}

// sparkBetween draws the track from its least to its greatest value.
func (t *topTrack) sparkBetween(width int) string {
	values := t.columns(width)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		if math.IsNaN(v) {
			b.WriteByte(' ')
			continue
		}
		b.WriteString(bars([]float64{v}, low, high))
	}
	return b.String()
}

// others shows what has no place of its own: custom metrics above all.
func (d *topDetail) others() {
	types := slices.DeleteFunc(slices.Sorted(maps.Keys(d.host.byType)), func(t string) bool { return d.shown[t] })
	types = slices.DeleteFunc(types, func(t string) bool { return len(d.host.byType[t]) == 0 })
	if len(types) == 0 {
		return
	}
	d.section("Other metrics")
	for _, metricType := range types {
		// A pushed metric may come once an hour: it is shown with its age.
		for _, t := range d.host.byType[metricType] {
			late, style := "", lipgloss.NewStyle()
			if behind := d.host.newest - t.last().time; behind > seriesLate.Milliseconds() {
				late, style = "  "+ageOfMillis(behind)+" ago", styleDim
			}
			d.add("  %s", style.Render(padRight(plainText(seriesText(t.series)), 40)+" "+padLeft(readable(t.last().value, t.unit), 12)+late)+"  "+styleGraph.Render(t.sparkBetween(12)))
		}
	}
}
