package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// The styles use the terminal's own sixteen colours, so that they suit its theme.
var (
	styleGood  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	styleWarn  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	styleBad   = lipgloss.NewStyle().Foreground(lipgloss.Red)
	styleGraph = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	styleDim   = lipgloss.NewStyle().Faint(true)
	styleHead  = lipgloss.NewStyle().Bold(true)
	styleKey   = lipgloss.NewStyle().Bold(true).Underline(true)
	styleBar   = lipgloss.NewStyle().Reverse(true)
	stylePlain = lipgloss.NewStyle()
)

// Share of something that is full, in percent, from which it is worth a look and
// from which it is worrying.
const (
	warnPercent = 75
	badPercent  = 90
)

// levelStyle colours a percentage.
func levelStyle(percent float64) lipgloss.Style {
	switch {
	case percent >= badPercent:
		return styleBad
	case percent >= warnPercent:
		return styleWarn
	}
	return stylePlain
}

// View draws the screen.
func (m *topModel) View() tea.View {
	lines := append(m.headLines(), m.bodyLines()...)
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, min(len(lines), m.height-1))], m.footLine())
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, "")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "vitals top"
	return v
}

// bodyHeight is how many lines there are between head and foot.
func (m *topModel) bodyHeight() int { return max(1, m.height-3) }

func (m *topModel) bodyLines() []string {
	switch {
	case m.help:
		return m.helpLines()
	case m.choice.host != "":
		lines := m.detailLines()
		from := min(m.scroll, len(lines))
		return lines[from:min(len(lines), from+m.bodyHeight())]
	}
	return m.tableLines()
}

// headLines are the two lines at the top: what there is, and how the stream is.
func (m *topModel) headLines() []string {
	left := styleHead.Render("vitals top") + "  " + plainText(m.target)
	right := m.countText() + "  " + m.clock().Format(time.TimeOnly)
	return []string{apart(left, right, m.width), m.stateLine()}
}

// countText says how many hosts are in which state.
func (m *topModel) countText() string {
	counts := map[monitoringv1.HostStatus]int{}
	for _, h := range m.fleet.hosts {
		counts[m.fleet.status(h, m.clock())]++
	}
	text := plural(len(m.fleet.hosts), "host")
	if m.link.state != linkLive {
		return text
	}
	for _, s := range []monitoringv1.HostStatus{monitoringv1.HostStatus_HOST_STATUS_UP, monitoringv1.HostStatus_HOST_STATUS_STALE, monitoringv1.HostStatus_HOST_STATUS_DOWN} {
		if counts[s] > 0 {
			text += ", " + statusStyle(s).Render(fmt.Sprintf("%d %s", counts[s], statusText(s)))
		}
	}
	return text
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// stateLine says how the stream is, as it is.
func (m *topModel) stateLine() string {
	since := m.link.since.Format(time.TimeOnly)
	if m.paused() {
		line := fmt.Sprintf("paused since %s (%s); p goes on", m.pausedAt.Format(time.TimeOnly), age(m.now.Sub(m.pausedAt)))
		if m.link.state != linkLive {
			line += "; the stream is lost: " + plainText(m.link.reason())
		}
		return styleWarn.Render(line)
	}
	switch m.link.state {
	case linkConnecting:
		return styleWarn.Render(fmt.Sprintf("connecting since %s (%s)", since, age(m.now.Sub(m.link.since))))
	case linkLost:
		return styleBad.Render(fmt.Sprintf("reconnecting since %s (%s): %s", since, age(m.now.Sub(m.link.since)), plainText(m.link.reason())))
	}
	line := styleGood.Render("live")
	if m.waiting() {
		line += " · waiting for the first samples"
	}
	if m.listErr != nil {
		line += styleWarn.Render(" · no list of hosts, status is by age: " + plainText(topLink{err: m.listErr}.reason()))
	}
	if m.fleet.dropped > 0 {
		line += styleWarn.Render(fmt.Sprintf(" · %d samples lost, this terminal is too slow", m.fleet.dropped))
	}
	if m.table.filter != "" && m.choice.host == "" && !m.table.filtering {
		line += " · filter: " + plainText(m.table.filter) + styleDim.Render(" (Esc clears)")
	}
	return line
}

// footLine names the keys, or takes the filter.
func (m *topModel) footLine() string {
	switch {
	case m.help:
		return styleDim.Render("any key goes back")
	case m.table.filtering:
		return "/" + plainText(m.table.filter) + styleBar.Render(" ") + styleDim.Render("  host names and tags · Enter keeps, Esc clears")
	case m.choice.host != "":
		return styleDim.Render("Esc back  ↑↓ scroll  p pause  ? help  q quit")
	}
	return styleDim.Render("Enter open  / filter  s sort  S turn  p pause  ? help  q quit")
}

func (m *topModel) helpLines() []string {
	text := `
 ↑ ↓ PgUp PgDn Home End   move the bar, or scroll a host's detail
 Enter                    open the host under the bar
 Esc                      back to the hosts; there: clear the filter
 /                        filter by host name and tags, as you type; several
                          words must all be there
 s, > and <               sort by the next column, by the one before
 S                        turn the order
 h t c m d i o l a        sort by host, status, cpu, memory, disk, in, out,
                          load, tags (the letter underlined in the head);
                          again: turn the order. Memory and disk: by how full
 p or Space               pause and go on
 q or Ctrl-C              quit

 Memory and disk (the root file system) are used/total, GB of 10^9 bytes.
 In and out are bytes a second, without loopback and container bridges.
 A host that is dim is late: the time after its status is the age of its
 newest sample. The sparkline has a column a sample; gaps are gaps.`
	return strings.Split(strings.TrimPrefix(text, "\n"), "\n")
}

// tableLines are the table of hosts, its head first.
func (m *topModel) tableLines() []string {
	rows := m.rows()
	layout := newTopLayout(m.width, rows)
	lines := []string{layout.head(&m.table)}
	for _, r := range m.table.window(rows, m.bodyHeight()-1) {
		selected := r.name == m.table.current(rows).name
		lines = append(lines, layout.row(&r, selected, m.link.state == linkLive))
	}
	if len(rows) > 0 {
		return lines
	}
	switch {
	case m.table.filter != "" && len(m.fleet.hosts) > 0:
		return append(lines, "", fmt.Sprintf("  None of %s has %s in its name or tags.", plural(len(m.fleet.hosts), "host"), plainText(m.table.filter)))
	case m.link.state == linkLost:
		return append(lines, "", "  No answer from "+plainText(m.target)+": is 'vitals serve' running there?", "  This goes on by itself when it is.")
	case m.link.state == linkLive && !m.waiting():
		return append(lines, "", "  No host reports yet. Bring one in with: vitals agent --server "+plainText(m.target))
	}
	return lines
}

// plainText replaces what would move the cursor or colour the screen: names come
// from other machines.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, s)
}

// padRight and padLeft bring text to a width, cutting what is too long.
func padRight(text string, width int) string {
	text = ansi.Truncate(text, width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

func padLeft(text string, width int) string {
	text = ansi.Truncate(text, width, "…")
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(text))) + text
}

// apart puts two texts at the ends of a line; the left one gives way.
func apart(left, right string, width int) string {
	room := max(0, width-ansi.StringWidth(right)-1)
	return padRight(left, room) + " " + right
}
