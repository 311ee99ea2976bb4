package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"connectrpc.com/connect/v2"
	"github.com/charmbracelet/x/ansi"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// topTest drives a screen without a terminal.
type topTest struct {
	testing.TB
	m       *topModel
	now     time.Time
	choices []topChoice
}

// newTopTest is a screen that has a live stream and no samples yet.
func newTopTest(tb testing.TB, host string) *topTest {
	tt := &topTest{TB: tb, now: time.Date(2026, 11, 22, 14, 0, 0, 0, time.Local)}
	tt.m = newTopModel("http://hub:50051", host, tt.now, func(c topChoice) { tt.choices = append(tt.choices, c) })
	tt.send(topLink{state: linkLive, since: tt.now})
	return tt
}

func (tt *topTest) send(msgs ...tea.Msg) {
	for _, msg := range msgs {
		tt.m.Update(msg)
	}
}

// wait lets time pass on the screen.
func (tt *topTest) wait(d time.Duration) {
	tt.now = tt.now.Add(d)
	tt.send(topTick(tt.now))
}

// press types keys: names such as enter, or characters.
func (tt *topTest) press(keys ...string) (quit bool) {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "up": tea.KeyUp, "backspace": tea.KeyBackspace, "end": tea.KeyEnd}
	for _, key := range keys {
		msg := tea.KeyPressMsg{Text: key, Code: []rune(key)[0]}
		if code, ok := named[key]; ok {
			msg = tea.KeyPressMsg{Code: code}
		}
		if _, cmd := tt.m.Update(msg); cmd != nil {
			_, quit = cmd().(tea.QuitMsg)
		}
	}
	return quit
}

// view is the screen's text without colours.
func (tt *topTest) view() string { return ansi.Strip(tt.m.View().Content) }

// sees fails unless the screen has each text.
func (tt *topTest) sees(texts ...string) {
	tt.Helper()
	for _, text := range texts {
		if !strings.Contains(tt.view(), text) {
			tt.Errorf("the screen does not have %q:\n%s", text, tt.view())
		}
	}
}

// misses fails if the screen has one of the texts.
func (tt *topTest) misses(texts ...string) {
	tt.Helper()
	for _, text := range texts {
		if strings.Contains(tt.view(), text) {
			tt.Errorf("the screen has %q:\n%s", text, tt.view())
		}
	}
}

// order fails unless the hosts are on the screen in that order, and no other.
func (tt *topTest) order(want ...string) {
	tt.Helper()
	var got []string
	for _, line := range strings.Split(tt.view(), "\n")[3:] {
		if name, _, _ := strings.Cut(line, " "); strings.Contains(name, "-") {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		tt.Errorf("hosts are in the order %v, want %v:\n%s", got, want, tt.view())
	}
}

func (tt *topTest) reading(host, metricType string, value float64, labels ...string) topReading {
	typ, _ := metric.Lookup(metricType)
	return topReading{metric.NewSeries(metricType, host, metric.NewLabels(labels...)), typ.Unit, tt.now.UnixMilli(), value}
}

// measure sends a round of a host's samples, of now.
func (tt *topTest) measure(host string, cpu, memory, in float64) {
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, complete: tt.m.choice.id, readings: []topReading{
		tt.reading(host, "cpu", cpu), tt.reading(host, "memory", memory), tt.reading(host, "memory_total", 16),
		tt.reading(host, "disk", 40), tt.reading(host, "disk_space_total", 100, "mount", "/", "device", "/dev/sda1"),
		tt.reading(host, "network_receive", in, "interface", "eth0"), tt.reading(host, "network_receive", 5e9, "interface", "lo"),
		tt.reading(host, "network_transmit", 1500, "interface", "eth0"), tt.reading(host, "load1", cpu/10),
	}})
}

// fleet sends three hosts with different values and the list of them.
func (tt *topTest) fleet() {
	tt.measure("db-1", 10, 14, 1000)
	tt.measure("web-1", 90, 4, 3e6)
	tt.measure("web-2", 50, 8, 2000)
	tt.list(map[string]map[string]string{"db-1": {"env": "prod"}, "web-1": {"env": "prod"}, "web-2": {"env": "test"}})
}

func (tt *topTest) list(hosts map[string]map[string]string) {
	res := &monitoringv1.ListHostsResponse{StaleAfter: durationpb.New(10 * time.Second), DownAfter: durationpb.New(time.Minute)}
	for name, tags := range hosts {
		res.Hosts = append(res.Hosts, &monitoringv1.Host{Hostname: name, Tags: tags, Os: "linux", Platform: "debian 12",
			Status: monitoringv1.HostStatus_HOST_STATUS_UP, LastSeen: timestamppb.New(tt.now)})
	}
	tt.send(topHosts{list: res})
}

func TestTopShowsAllHosts(t *testing.T) {
	tt := newTopTest(t, "")
	tt.sees("live", "waiting for the first samples", "0 hosts")
	tt.fleet()
	tt.send(tea.WindowSizeMsg{Width: 130, Height: 24})
	tt.order("db-1", "web-1", "web-2")
	tt.sees("3 hosts, 3 up", "90.0%", "4.0/16.0 GB", "40/100 GB", "3.0 MB/s", "1.5 KB/s", "9.00", "env=test", "HOST▲")
	tt.misses("waiting", "5.0 GB/s")
}

func TestTopSorts(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	f := func(key, head string, want ...string) {
		t.Helper()
		tt.press(key)
		tt.order(want...)
		tt.sees(head)
	}
	f("c", "CPU▼", "web-1", "web-2", "db-1")
	f("c", "CPU▲", "db-1", "web-2", "web-1")
	f("m", "MEMORY▼", "db-1", "web-2", "web-1")
	f("i", "IN▼", "web-1", "web-2", "db-1")
	f("S", "IN▲", "db-1", "web-2", "web-1")
	f("s", "OUT▼", "db-1", "web-1", "web-2")
	f("<", "IN▼", "web-1", "web-2", "db-1")
	f("h", "HOST▲", "db-1", "web-1", "web-2")
	f("h", "HOST▼", "web-2", "web-1", "db-1")
}

// What is not known stands last, whatever the order.
func TestTopSortsUnknownLast(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	tt.list(map[string]map[string]string{"db-1": nil, "web-1": nil, "web-2": nil, "a-silent": nil})
	tt.press("c")
	tt.order("web-1", "web-2", "db-1", "a-silent")
	tt.press("c")
	tt.order("db-1", "web-2", "web-1", "a-silent")
}

func TestTopFiltersAsOneTypes(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	tt.press("/", "w", "e")
	tt.order("web-1", "web-2")
	tt.sees("/we")
	tt.press("b", " ", "t", "e", "s", "t")
	tt.order("web-2")
	tt.press("enter")
	tt.order("web-2")
	tt.sees("filter: web test (Esc clears)")
	tt.press("/", "x")
	tt.sees("None of 3 hosts has web testx")
	tt.press("backspace")
	tt.order("web-2")
	tt.press("esc")
	tt.order("db-1", "web-1", "web-2")
	// While one types, letters are text: q does not quit.
	if tt.press("/", "q") {
		t.Error("q in the filter quits")
	}
}

func TestTopQuits(t *testing.T) {
	for _, view := range [][]string{{}, {"enter"}, {"?"}} {
		tt := newTopTest(t, "")
		tt.fleet()
		tt.press(view...)
		if !tt.press("q") {
			t.Errorf("q does not quit after %v", view)
		}
	}
}

// The stream is asked for what is shown: a few types of all hosts, or all of one.
func TestTopChangesItsChoice(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	tt.press("c", "down", "enter")
	tt.press("esc")
	var hosts []string
	for i, c := range tt.choices {
		hosts = append(hosts, c.host)
		if c.id != uint64(i+1) {
			t.Errorf("choice %d has the number %d", i+1, c.id)
		}
	}
	if want := []string{"", "web-2", ""}; !slices.Equal(hosts, want) {
		t.Errorf("chosen were %q, want %q", hosts, want)
	}
	all := tt.choices[0].request(0).GetSelectors()[0]
	if len(all.GetHostnames()) > 0 || !slices.Equal(all.GetMetricTypes(), topFleetTypes) {
		t.Errorf("the table asks for %v", all)
	}
	one := tt.choices[1].request(5 * time.Second)
	if s := one.GetSelectors()[0]; !slices.Equal(s.GetHostnames(), []string{"web-2"}) || len(s.GetMetricTypes()) > 0 || one.GetInterval().GetSeconds() != 5 {
		t.Errorf("the detail asks for %v", one)
	}
}

func TestTopShowsOneHost(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	tt.send(tea.WindowSizeMsg{Width: 100, Height: 60})
	tt.press("down", "enter")
	r := tt.reading
	tt.wait(time.Second)
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, complete: 2, readings: []topReading{
		r("web-1", "cpu", 33.3), r("web-1", "cpu_core", 11, "core", "0"), r("web-1", "cpu_core", 22, "core", "10"), r("web-1", "cpu_core", 99, "core", "2"),
		r("web-1", "cpu_mode", 7.5, "mode", "iowait"),
		r("web-1", "memory_available", 12), r("web-1", "swap_total", 2), r("web-1", "swap_used", 0.5),
		r("web-1", "disk_space_used", 40, "mount", "/var", "device", "/dev/sdb"), r("web-1", "disk_space_free", 60, "mount", "/var", "device", "/dev/sdb"),
		r("web-1", "disk_space_total", 100, "mount", "/var", "device", "/dev/sdb"),
		r("web-1", "disk_read", 2e6, "device", "sdb"), r("web-1", "disk_busy", 12, "device", "sdb"),
		r("web-1", "network_transmit", 4e6, "interface", "wlan0"), r("web-1", "network_receive", 4e6, "interface", "wlan0"),
		r("web-1", "pressure", 3, "resource", "io", "kind", "full"), r("web-1", "process_cpu", 20, "process", "postgres"),
		r("web-1", "process_memory", 1.5, "process", "java"), r("web-1", "temperature", 61, "sensor", "package"), r("web-1", "uptime", 90000),
		{metric.NewSeries("queue_depth", "web-1", metric.NewLabels("queue", "mail")), "jobs", tt.now.UnixMilli(), 7},
	}})
	tt.sees("web-1  up", "linux debian 12", "env=prod", "up 1d 1h", "33.3%", "iowait 7.5%", "swap 0.5/2.0 GB", "/var", "40%", "2.0 MB/s", "12.0%",
		"wlan0", "4.0 MB/s", "io full", "postgres", "20.0%", "java", "1.5 GB", "package", "61.0 °C", `queue_depth{queue="mail"}`, "7 jobs")
	tt.misses("web-2", "db-1")
	// Cores are in the order of their numbers.
	if v := tt.view(); strings.Index(v, "11.0%") > strings.Index(v, "99.0%") || strings.Index(v, "99.0%") > strings.Index(v, "22.0%") {
		t.Errorf("cores are not in order:\n%s", v)
	}
	tt.send(tea.WindowSizeMsg{Width: 80, Height: 12})
	tt.misses("queue_depth")
	tt.press("end")
	tt.sees("queue_depth")
	tt.press("esc")
	tt.order("db-1", "web-1", "web-2")
}

func TestTopOpensAHostAtOnce(t *testing.T) {
	tt := newTopTest(t, "wbe-1")
	if tt.choices[0].host != "wbe-1" || len(tt.choices) != 1 {
		t.Errorf("the first choice is %+v", tt.choices[0])
	}
	tt.sees("Waiting for its samples")
	tt.list(map[string]map[string]string{"web-1": nil, "database": nil})
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, complete: 1})
	tt.sees("No such host has reported", "Nearest: web-1")
	tt.measure("wbe-1", 42, 1, 1)
	tt.sees("42.0%")
}

// A host that is silent is called late, with the age of its newest sample, even
// before the server's list says so; what comes again is up at once.
func TestTopIsHonestAboutLateHosts(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	for range 12 {
		tt.wait(time.Second)
		tt.measure("web-1", 90, 4, 1)
		tt.measure("db-1", 10, 4, 1)
	}
	row := func() string {
		lines := strings.Split(tt.m.View().Content, "\n")
		return lines[slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "web-2") })]
	}
	// The server's word of a moment ago was up; its next list is not.
	res := &monitoringv1.ListHostsResponse{Hosts: []*monitoringv1.Host{{Hostname: "web-2", Status: monitoringv1.HostStatus_HOST_STATUS_STALE}}}
	tt.send(topHosts{list: res})
	if got := row(); !strings.Contains(got, "stale 12s") || !strings.HasPrefix(got, "\x1b[2m") {
		t.Errorf("a late host is not dim with its age: %q", got)
	}
	tt.sees("2 up, 1 stale")
	tt.measure("web-2", 50, 8, 1)
	if got := row(); !strings.Contains(got, "up") || strings.HasPrefix(got, "\x1b[2m") {
		t.Errorf("a host that is back is not up: %q", got)
	}
	tt.sees("3 up")
}

// Without the list of hosts the age of the samples tells.
func TestTopJudgesByAgeWithoutAList(t *testing.T) {
	tt := newTopTest(t, "")
	tt.measure("web-1", 1, 1, 1)
	tt.send(topHosts{err: connect.NewError(connect.CodeUnimplemented, "no such procedure").WithRemote()})
	tt.sees("no list of hosts, status is by age", "server said: no such procedure", "1 up")
	tt.wait(30 * time.Second)
	tt.sees("stale 30s")
	tt.wait(60 * time.Second)
	tt.sees("down 90s")
}

// While the stream is lost nothing is called up, and the reason is said.
func TestTopIsHonestAboutTheStream(t *testing.T) {
	tt := newTopTest(t, "")
	tt.send(topLink{state: linkConnecting, since: tt.now})
	tt.wait(3 * time.Second)
	tt.sees("connecting since 14:00:00 (3s)")
	tt.send(topLink{state: linkLost, since: tt.now, err: errors.New("connection refused")})
	tt.sees("reconnecting since 14:00:03 (0s): connection refused", "is 'vitals serve' running there?")
	tt.send(topLink{state: linkLive, since: tt.now})
	tt.fleet()
	tt.sees("3 up")
	tt.send(topLink{state: linkLost, since: tt.now, err: connect.NewError(connect.CodeUnavailable, "it is stopping").WithRemote()})
	tt.wait(4 * time.Second)
	tt.sees("reconnecting since 14:00:03 (4s): server said: it is stopping", "? 4s")
	tt.misses("3 up")
}

func TestTopSaysWhatWasLost(t *testing.T) {
	tt := newTopTest(t, "")
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, dropped: 42})
	tt.sees("42 samples lost")
}

// Paused, the picture stands still; going on asks for a new snapshot.
func TestTopPauses(t *testing.T) {
	tt := newTopTest(t, "")
	tt.fleet()
	tt.press("p")
	tt.wait(5 * time.Second)
	tt.measure("web-1", 12, 4, 1)
	tt.sees("paused since 14:00:00 (5s)", "90.0%")
	tt.misses("12.0%")
	before := len(tt.choices)
	tt.press("p")
	if len(tt.choices) != before+1 || tt.choices[before].id <= tt.choices[before-1].id {
		t.Errorf("going on did not ask for a new snapshot: %+v", tt.choices)
	}
	tt.measure("web-1", 13, 4, 1)
	tt.sees("13.0%", "live")
}

// Ages are by the server's clock, whatever ours says.
func TestTopTakesTheServersClock(t *testing.T) {
	tt := newTopTest(t, "")
	ours := tt.now.Add(-3 * time.Hour)
	tt.send(topTick(ours))
	tt.send(topUpdate{serverTime: tt.now, received: ours, complete: 1, readings: []topReading{tt.reading("web-1", "cpu", 5)}})
	tt.sees("1 up")
	tt.send(topTick(ours.Add(25 * time.Second)))
	tt.sees("stale 25s")
}

// A snapshot's old samples do not make a host fresh.
func TestTopSnapshotOfASilentHost(t *testing.T) {
	tt := newTopTest(t, "")
	old := tt.reading("web-1", "cpu", 5)
	old.time -= 5 * 60 * 1000
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, snapshot: true, complete: 1, readings: []topReading{old}})
	tt.sees("down 5m", "5.0%")
}

// The sparkline begins with the past and leaves gaps as gaps.
func TestTopSparkline(t *testing.T) {
	tt := newTopTest(t, "")
	at := tt.now.UnixMilli()
	track := &topTrack{unit: metric.Percent, points: []topPoint{{at - 1000, 0}, {at, 100}}}
	if got := track.spark(4); got != "  ▁█" {
		t.Errorf("a young track is drawn as %q", got)
	}
	track.fill([]topPoint{{at - 5000, 50}, {at - 4000, 50}, {at - 1000, 77}}, 1000)
	if got := track.spark(6); got != "▄▄▄ ▁█" { // one missed column is bridged, the next is not
		t.Errorf("with its past it is drawn as %q", got)
	}
	// In the model the past waits for the snapshot that names the series.
	past := topPast{step: time.Second}
	for i := range 8 {
		r := tt.reading("web-1", "cpu", 100)
		r.time -= int64(i) * 1000
		past.readings = append([]topReading{r}, past.readings...)
	}
	tt.send(past)
	tt.measure("web-1", 100, 1, 1)
	tt.sees("██████")
}

// Every screen fits its terminal.
func TestTopFits(t *testing.T) {
	sizes := []tea.WindowSizeMsg{{Width: 80, Height: 24}, {Width: 40, Height: 8}, {Width: 200, Height: 60}, {Width: 20, Height: 4}, {Width: 1, Height: 1}}
	for _, size := range sizes {
		for _, keys := range [][]string{{}, {"?"}, {"enter"}, {"/", "w"}, {"p"}} {
			tt := newTopTest(t, "")
			tt.send(size)
			for i := range 100 {
				tt.measure(fmt.Sprintf("host-with-a-long-name-%d", i), 100, 16, 123e9)
			}
			tt.press("end")
			tt.press(keys...)
			lines := strings.Split(tt.view(), "\n")
			if len(lines) > size.Height {
				t.Errorf("%v after %v has %d lines", size, keys, len(lines))
			}
			for _, line := range lines {
				if ansi.StringWidth(line) > size.Width {
					t.Errorf("%v after %v has a line of %d: %q", size, keys, ansi.StringWidth(line), line)
				}
			}
		}
	}
	// The bar stays on the screen.
	tt := newTopTest(t, "")
	for i := range 100 {
		tt.measure(fmt.Sprintf("host-%02d", i), 1, 1, 1)
	}
	tt.press("end")
	tt.sees("host-99")
	tt.press("up", "up")
	tt.sees("host-97", "host-99")
}

// At 80 columns all that matters is there.
func TestTopAt80Columns(t *testing.T) {
	tt := newTopTest(t, "")
	tt.measure("web-1", 100, 12.3, 123e6)
	tt.sees("HOST", "STATUS", "CPU", "MEMORY", "DISK", "IN", "OUT", "LOAD", "100%", "12.3/16.0G", "123MB/s", "10.00", "█")
	tt.misses("…")
}

// Names come from other machines: they must not drive the terminal.
func TestTopShowsNoForeignControlCharacters(t *testing.T) {
	tt := newTopTest(t, "web-1")
	tt.measure("web-1", 1, 1, 1)
	tt.send(tea.WindowSizeMsg{Width: 100, Height: 60})
	tt.send(topUpdate{serverTime: tt.now, received: tt.now, readings: []topReading{tt.reading("web-1", "process_cpu", 99, "process", "\x1b]0;owned\x07evil")}})
	tt.sees("evil")
	if strings.Contains(tt.m.View().Content, "\x1b]0;") {
		t.Error("an escape sequence of a process name reaches the terminal")
	}
}
