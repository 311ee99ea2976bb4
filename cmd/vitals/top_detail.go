package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/vitals-rpc/vitals/metric"
)

// topDetail draws everything of one host, line by line.
type topDetail struct {
	host  *topHost
	width int
	lines []string
	shown map[string]bool // metric types that have their place
}

// detailLines are all lines of the chosen host's detail.
func (m *topModel) detailLines() []string {
	h := m.fleet.hosts[m.choice.host]
	if h == nil || h.newest == 0 {
		return m.noDetail(h)
	}
	d := &topDetail{host: h, width: m.width, shown: map[string]bool{}}
	d.title(m)
	d.cpu()
	d.memory()
	d.disks()
	d.network()
	d.pressure()
	d.processes()
	d.temperatures()
	d.others()
	return d.lines
}

// noDetail says why there is nothing to show of a host.
func (m *topModel) noDetail(h *topHost) []string {
	lines := []string{styleHead.Render(plainText(m.choice.host)), ""}
	switch {
	case m.link.state == linkLost:
		lines = append(lines, "  No answer from "+plainText(m.target)+": is 'vitals serve' running there?")
	case m.waiting():
		lines = append(lines, "  Waiting for its samples.")
	case h != nil:
		lines = append(lines, "  It is known, but nothing has come from it since the server started.")
	default:
		lines = append(lines, "  No such host has reported. Its samples will show here when it does.")
		if known := slices.Sorted(maps.Keys(m.fleet.hosts)); len(known) > 0 {
			lines = append(lines, "  Nearest: "+plainText(strings.Join(metric.Nearest(m.choice.host, known, 3), ", ")))
		}
	}
	return append(lines, "", "  Esc shows all hosts.")
}

func (d *topDetail) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// section begins a part.
func (d *topDetail) section(name string) {
	d.add("")
	d.add("%s", styleHead.Render(name))
}

// use marks types as shown, so that they are not among the others.
func (d *topDetail) use(types ...string) {
	for _, t := range types {
		d.shown[t] = true
	}
}

// title says whose detail this is and how the host is.
func (d *topDetail) title(m *topModel) {
	h := d.host
	status := m.fleet.status(h, m.clock())
	text, style := statusText(status), statusStyle(status)
	if m.link.state != linkLive {
		text, style = "status not known", styleDim
	}
	if old := m.fleet.age(h, m.clock()); old >= m.fleet.staleAfter || m.link.state != linkLive {
		text += ", newest sample " + age(old) + " old"
	}
	line := styleHead.Render(plainText(h.name)) + "  " + style.Render(text)
	if i := h.info; i != nil {
		parts := []string{strings.Join(strings.Fields(i.GetOs()+" "+i.GetPlatform()+" "+i.GetArchitecture()), " ")}
		if i.GetAgentVersion() != "" {
			parts = append(parts, "agent "+i.GetAgentVersion())
		}
		if len(i.GetTags()) > 0 {
			parts = append(parts, tagText(i.GetTags()))
		}
		line += "  " + styleDim.Render(plainText(strings.Join(parts, "  ")))
	}
	d.lines = append(d.lines, line)
	if h.info.GetNameConflict() {
		d.add("%s", styleWarn.Render("two agents report under this name: give one of them another --hostname"))
	}
	d.use("uptime", "load1", "load5", "load15", "processes")
	var parts []string
	for _, p := range []struct{ label, metricType string }{{"up", "uptime"}, {"load", "load1"}, {"", "load5"}, {"", "load15"}, {"processes", "processes"}} {
		t := h.first(p.metricType)
		if t == nil {
			continue
		}
		value := readable(t.last().value, t.unit)
		if strings.HasPrefix(p.metricType, "load") {
			value = fmt.Sprintf("%.2f", t.last().value)
		}
		if p.label != "" {
			value = styleDim.Render(p.label) + " " + value
		}
		parts = append(parts, value)
	}
	if len(parts) > 0 {
		d.add("%s", strings.Join(parts, "  "))
	}
}

// sparkRoom is the width of the sparkline that goes with a line's text.
func (d *topDetail) sparkRoom(text int) int { return min(max(d.width-text, 8), 60) }

// cpu shows all cores together, by mode, and each.
func (d *topDetail) cpu() {
	h := d.host
	total := h.first(metric.CPU)
	if total == nil {
		return
	}
	d.use(metric.CPU, "cpu_mode", "cpu_core")
	v := total.last().value
	d.section("CPU")
	d.add("  %s  %s", levelStyle(v).Render(padLeft(readable(v, metric.Percent), 6)), styleGraph.Render(total.spark(d.sparkRoom(12))))
	var modes []string
	for _, t := range h.series("cpu_mode") {
		modes = append(modes, styleDim.Render(plainText(labelText(t.series)))+" "+readable(t.last().value, t.unit))
	}
	d.flow(modes)
	var cores []string
	for _, t := range h.series("cpu_core") {
		v := t.last().value
		cores = append(cores, fmt.Sprintf("%s %s %s", styleDim.Render(padLeft(plainText(labelText(t.series)), 3)),
			levelStyle(v).Render(padLeft(readable(v, t.unit), 6)), styleGraph.Render(t.spark(12))))
	}
	d.grid(cores, 24)
}

// flow puts short texts on as few lines as hold them.
func (d *topDetail) flow(texts []string) {
	line := ""
	for _, text := range texts {
		if line != "" && ansi.StringWidth(line)+ansi.StringWidth(text)+3 > d.width {
			d.add(" %s", line)
			line = ""
		}
		line += " " + text + " "
	}
	if line != "" {
		d.add(" %s", line)
	}
}

// grid puts cells of one width side by side.
func (d *topDetail) grid(cells []string, width int) {
	across := max(1, (d.width-2)/(width+2))
	for line := range slices.Chunk(cells, across) {
		d.add("  %s", strings.Join(line, "  "))
	}
}

// memory shows memory and swap.
func (d *topDetail) memory() {
	h := d.host
	used := h.first(metric.Memory)
	if used == nil {
		return
	}
	d.use(metric.Memory, "memory_total", "memory_available", "memory_cached", "swap_total", "swap_used")
	d.section("Memory")
	total := h.value("memory_total")
	full := 100 * used.last().value / total
	text := usedOf(used.last().value, total, false)
	if !math.IsNaN(full) {
		text += " " + readable(full, metric.Percent)
	}
	d.add("  %s  %s", levelStyle(full).Render(padRight(text, 22)), styleGraph.Render(used.sparkOf(d.sparkRoom(28), total)))
	var parts []string
	for _, p := range []struct{ label, metricType string }{{"available", "memory_available"}, {"cached", "memory_cached"}} {
		if v := h.value(p.metricType); !math.IsNaN(v) {
			parts = append(parts, styleDim.Render(p.label)+" "+readable(v, metric.GB))
		}
	}
	if swap := h.value("swap_total"); swap > 0 {
		parts = append(parts, styleDim.Render("swap")+" "+usedOf(h.value("swap_used"), swap, false))
	} else if swap == 0 {
		parts = append(parts, styleDim.Render("no swap"))
	}
	d.flow(parts)
}

// sparkOf draws the track as a share of full, if that is known.
func (t *topTrack) sparkOf(width int, full float64) string {
	if math.IsNaN(full) || full <= 0 {
		return t.spark(width)
	}
	share := topTrack{unit: metric.Percent}
	for _, p := range t.points {
		share.points = append(share.points, topPoint{p.time, 100 * p.value / full})
	}
	return share.spark(width)
}
