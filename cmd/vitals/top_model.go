package main

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// topTick comes each second, so that ages grow.
type topTick time.Time

// topModel is the screen: all that it shows is in it, and messages alone change
// it.
type topModel struct {
	target string
	// choose tells the feed what is shown now.
	choose func(topChoice)
	choice topChoice
	// complete is the newest choice whose snapshot has come whole.
	complete uint64
	// past is what came of the time before, until the snapshot is complete.
	past []topPast

	fleet    *topFleet
	link     topLink
	listErr  error
	listed   bool
	now      time.Time
	pausedAt time.Time // zero: not paused
	help     bool

	width, height int

	table  topTable
	scroll int // first line of a host's detail that is shown
}

// newTopModel makes the screen; host is the one to open at once, or "".
func newTopModel(target, host string, now time.Time, choose func(topChoice)) *topModel {
	m := &topModel{
		target: target, choose: choose, fleet: newTopFleet(), now: now,
		link: topLink{since: now}, width: 80, height: 24,
	}
	m.show(host)
	return m
}

// show turns to a host's detail, or with "" to the table of hosts.
func (m *topModel) show(host string) {
	m.scroll = 0
	if host != "" {
		m.table.selected = host
	}
	m.choice = topChoice{host: host, id: m.choice.id + 1}
	m.choose(m.choice)
}

// paused reports whether the picture stands still.
func (m *topModel) paused() bool { return !m.pausedAt.IsZero() }

// waiting reports whether the snapshot of what is shown is still to come.
func (m *topModel) waiting() bool { return m.complete < m.choice.id }

func (m *topModel) Init() tea.Cmd { return topEverySecond() }

func topEverySecond() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return topTick(t) })
}

func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case topTick:
		m.now = time.Time(msg)
		return m, topEverySecond()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case topLink:
		m.link = msg
	case topHosts:
		m.listErr = msg.err
		if !m.paused() {
			m.listed = m.listed || msg.err == nil
			m.fleet.list(msg)
		}
	case topUpdate:
		m.complete = max(m.complete, msg.complete)
		if !m.paused() {
			m.fleet.update(msg)
		}
		m.fillPast()
	case topPast:
		m.past = append(m.past, msg)
		m.fillPast()
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		if m.table.filtering {
			m.table.filter += msg.Content
		}
	}
	return m, nil
}

// fillPast begins the sparklines with what was before, once the series are known.
func (m *topModel) fillPast() {
	if m.waiting() || m.paused() {
		return
	}
	for _, past := range m.past {
		m.fleet.fill(past)
	}
	m.past = nil
}

// clock is the time that the screen shows and measures ages by.
func (m *topModel) clock() time.Time {
	if m.paused() {
		return m.pausedAt
	}
	return m.now
}

// pause stops the picture, or lets it go on with a new snapshot of what is shown.
func (m *topModel) pause() {
	if !m.paused() {
		m.pausedAt = m.now
		return
	}
	m.pausedAt = time.Time{}
	m.choice.id++
	m.choose(m.choice)
}

// press acts on a key.
func (m *topModel) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case name == "ctrl+z":
		return tea.Suspend
	case m.help:
		m.help = false
		if name == "q" {
			return tea.Quit
		}
		return nil
	case m.table.filtering:
		m.table.typeFilter(name, key.Text, m.rows())
		return nil
	}
	switch name {
	case "q":
		return tea.Quit
	case "?", "f1":
		m.help = true
	case "p", "space":
		m.pause()
	default:
		if m.choice.host != "" {
			m.pressDetail(name)
		} else {
			m.pressTable(name)
		}
	}
	return nil
}

// pressDetail acts on a key while a host's detail is shown.
func (m *topModel) pressDetail(name string) {
	page := max(1, m.bodyHeight()-1)
	switch name {
	case "esc", "backspace", "left":
		m.show("")
		return
	case "up", "k":
		m.scroll--
	case "down", "j":
		m.scroll++
	case "pgup":
		m.scroll -= page
	case "pgdown":
		m.scroll += page
	case "home", "g":
		m.scroll = 0
	case "end", "G":
		m.scroll = 1 << 20
	}
	m.scroll = min(max(m.scroll, 0), max(0, len(m.detailLines())-m.bodyHeight()))
}

// pressTable acts on a key while the table of hosts is shown.
func (m *topModel) pressTable(name string) {
	rows := m.rows()
	switch name {
	case "enter", "right":
		if row := m.table.current(rows); row != nil {
			m.show(row.name)
		}
	case "esc":
		m.table.filter = ""
	case "/":
		m.table.filtering = true
	default:
		m.table.move(name, rows, m.bodyHeight()-1)
	}
}
