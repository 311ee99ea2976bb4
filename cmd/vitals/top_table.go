package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// topColumn is a column of the table of hosts.
type topColumn uint8

const (
	columnHost topColumn = iota
	columnStatus
	columnCPU
	columnMemory
	columnDisk
	columnIn
	columnOut
	columnLoad
	columnTags
	columnCount // how many there are
)

// topColumns are the columns' heads and the keys that sort by them.
var topColumns = [columnCount]struct{ head, key string }{
	columnHost:   {"HOST", "h"},
	columnStatus: {"STATUS", "t"},
	columnCPU:    {"CPU", "c"},
	columnMemory: {"MEMORY", "m"},
	columnDisk:   {"DISK", "d"},
	columnIn:     {"IN", "i"},
	columnOut:    {"OUT", "o"},
	columnLoad:   {"LOAD", "l"},
	columnTags:   {"TAGS", "a"},
}

// topRow is a host in the table. A value that is not known is NaN.
type topRow struct {
	name, tags         string
	status             monitoringv1.HostStatus
	conflict           bool
	age                time.Duration
	cpu                *topTrack
	memory, memoryFull float64
	disk, diskFull     float64
	in, out, load      float64
}

// rows are the hosts that the filter leaves, in order.
func (m *topModel) rows() []topRow {
	rows := make([]topRow, 0, len(m.fleet.hosts))
	words := strings.Fields(strings.ToLower(m.table.filter))
	for _, h := range m.fleet.hosts {
		tags := tagText(h.info.GetTags())
		text := strings.ToLower(h.name + " " + tags)
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		rows = append(rows, topRow{
			name: h.name, tags: tags,
			status: m.fleet.status(h, m.clock()), conflict: h.info.GetNameConflict(), age: m.fleet.age(h, m.clock()),
			cpu:    h.first(metric.CPU),
			memory: h.value(metric.Memory), memoryFull: h.value("memory_total"),
			disk: h.value(metric.Disk), diskFull: h.find("disk_space_total", "mount", "/", "C:"),
			in: h.sum("network_receive", leavesHost), out: h.sum("network_transmit", leavesHost),
			load: h.value("load1"),
		})
	}
	slices.SortFunc(rows, func(a, b topRow) int { return m.table.compare(&a, &b) })
	return rows
}

// topTable is how the table of hosts is sorted, filtered and scrolled.
type topTable struct {
	sort      topColumn
	reverse   bool // against the column's natural order
	filter    string
	filtering bool   // keys go into the filter
	selected  string // name of the host that the bar is on
	offset    int    // first row shown
}

// compare orders rows: names from a to z, numbers from the greatest, what is not
// known last, and the same by name.
func (t *topTable) compare(a, b *topRow) int {
	order := strings.Compare(a.name, b.name)
	switch t.sort {
	case columnHost:
		if t.reverse {
			return -order
		}
		return order
	case columnTags:
		if a.tags == b.tags {
			return order
		}
		if a.tags == "" || b.tags == "" {
			return strings.Compare(b.tags, a.tags)
		}
		return t.turned(strings.Compare(a.tags, b.tags))
	}
	x, y := a.number(t.sort), b.number(t.sort)
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return order
	case math.IsNaN(x):
		return 1
	case math.IsNaN(y):
		return -1
	}
	return cmp.Or(t.turned(cmp.Compare(y, x)), order)
}

func (t *topTable) turned(order int) int {
	if t.reverse {
		return -order
	}
	return order
}

// number is what a column sorts by; memory and disk by how full they are.
func (r *topRow) number(c topColumn) float64 {
	switch c {
	case columnStatus:
		return float64(r.status) + min(r.age.Hours()/1e6, 0.5)
	case columnCPU:
		if r.cpu == nil {
			return math.NaN()
		}
		return r.cpu.last().value
	case columnMemory:
		return r.memory / r.memoryFull
	case columnDisk:
		return r.disk / r.diskFull
	case columnIn:
		return r.in
	case columnOut:
		return r.out
	}
	return r.load
}

// sortBy sorts by a column, or turns the order if it is that column already.
func (t *topTable) sortBy(c topColumn) {
	if t.sort == c {
		t.reverse = !t.reverse
		return
	}
	t.sort, t.reverse = c, false
}

// index is the place of the selected host, or 0.
func (t *topTable) index(rows []topRow) int {
	return max(0, slices.IndexFunc(rows, func(r topRow) bool { return r.name == t.selected }))
}

// current is the row that the bar is on, or nil in an empty table.
func (t *topTable) current(rows []topRow) *topRow {
	if len(rows) == 0 {
		return nil
	}
	return &rows[t.index(rows)]
}

// move acts on the keys that move the bar or change the order.
func (t *topTable) move(key string, rows []topRow, page int) {
	for c, column := range topColumns {
		if key == column.key {
			t.sortBy(topColumn(c))
			return
		}
	}
	at := t.index(rows)
	switch key {
	case "s", ">":
		t.sort, t.reverse = (t.sort+1)%columnCount, false
		return
	case "<":
		t.sort, t.reverse = (t.sort+columnCount-1)%columnCount, false
		return
	case "S", "r":
		t.reverse = !t.reverse
		return
	case "up", "k":
		at--
	case "down", "j":
		at++
	case "pgup":
		at -= page
	case "pgdown":
		at += page
	case "home", "g":
		at = 0
	case "end", "G":
		at = len(rows) - 1
	default:
		return
	}
	if len(rows) > 0 {
		t.selected = rows[min(max(at, 0), len(rows)-1)].name
	}
}

// typeFilter acts on a key while the filter is typed. The bar still moves.
func (t *topTable) typeFilter(name, text string, rows []topRow) {
	switch name {
	case "enter":
		t.filtering = false
	case "esc":
		t.filtering, t.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(t.filter)
		t.filter = t.filter[:len(t.filter)-size]
	case "ctrl+u":
		t.filter = ""
	case "up", "down", "pgup", "pgdown":
		t.move(name, rows, 10)
	default:
		t.filter += text
	}
}

// window is the part of the rows that fits, with the selected one in it.
func (t *topTable) window(rows []topRow, height int) []topRow {
	height = max(height, 1)
	at := t.index(rows)
	t.offset = min(max(t.offset, at-height+1), at)
	t.offset = min(max(t.offset, 0), max(0, len(rows)-height))
	return rows[t.offset:min(len(rows), t.offset+height)]
}
