package fleet

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that the test turns.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time            { return c.now }
func (c *clock) pass(d time.Duration)      { c.now = c.now.Add(d) }
func (c *clock) millis() int64             { return c.now.UnixMilli() }
func (c *clock) ago(d time.Duration) int64 { return c.now.Add(-d).UnixMilli() }

func open(tb testing.TB, dir string, c *clock) *Registry {
	tb.Helper()
	r, err := Open(Options{Dir: dir, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

// only returns the one host whose name begins so.
func (r *Registry) only(tb testing.TB, name string) Host {
	tb.Helper()
	hosts := r.Hosts(name)
	if len(hosts) != 1 {
		tb.Fatalf("%d hosts begin with %q", len(hosts), name)
	}
	return hosts[0]
}

// TestStatus lets hosts of several intervals fall silent.
func TestStatus(t *testing.T) {
	f := func(interval, silent time.Duration, want Status) {
		t.Helper()
		c := newClock()
		r := open(t, "", c)
		r.Introduce(Reporter{Hostname: "a", Interval: interval})
		r.Saw("a", c.millis())
		c.pass(silent)
		if got := r.only(t, "a").Status; got != want {
			t.Errorf("silent for %s at an interval of %s: status %d, want %d", silent, interval, got, want)
		}
	}
	f(time.Second, 0, Up)
	f(time.Second, 10*time.Second, Up)
	f(time.Second, 11*time.Second, Stale)
	f(time.Second, time.Minute, Stale)
	f(time.Second, 61*time.Second, Down)
	f(0, 11*time.Second, Stale) // nobody has said how often
	f(time.Minute, 3*time.Minute, Up)
	f(time.Minute, 181*time.Second, Stale)
	f(time.Minute, 10*time.Minute, Stale)
	f(time.Minute, 601*time.Second, Down)
}

// TestStatusGoesByArrival: what counts is when something came, by the server's
// clock, and that it is new.
func TestStatusGoesByArrival(t *testing.T) {
	c := newClock()
	r := open(t, "", c)
	r.Saw("behind", c.ago(time.Hour))
	r.Saw("silent", c.ago(time.Second))
	c.pass(2 * time.Minute)
	r.Saw("behind", c.ago(time.Hour)) // its clock is an hour late, and it reports
	r.Saw("silent", c.ago(time.Hour)) // a backlog says nothing of now
	if got := r.only(t, "behind"); got.Status != Up || !got.LastSeen.Equal(c.now.Add(-time.Hour)) {
		t.Errorf("the host with the late clock: %+v", got)
	}
	if got := r.only(t, "silent"); got.Status != Down {
		t.Errorf("the host whose backlog comes: %+v", got)
	}
	r.Saw("set back", c.ago(-50*time.Second))
	c.pass(40 * time.Second)
	r.Saw("set back", c.ago(time.Second))
	if got := r.only(t, "set back"); got.Status != Up {
		t.Errorf("the host whose clock was set back: %+v", got)
	}
	r.Saw("ahead", c.ago(-49*time.Hour)) // as all were while the server's clock was
	r.Saw("ahead", c.millis())
	if got := r.only(t, "ahead"); got.Status != Up || !got.LastSeen.Equal(c.now) {
		t.Errorf("the host seen when the clock was ahead: %+v", got)
	}
	r.Saw("silent", c.millis())
	if got := r.only(t, "silent"); got.Status != Up {
		t.Errorf("the host that has come back: %+v", got)
	}
}

// TestRestart keeps all that matters, and goes by the last sample until another
// comes.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	r := open(t, dir, c)
	who := Reporter{
		Hostname: "web-1", ID: "id", OS: "linux", Platform: "debian 12", Architecture: "amd64",
		AgentVersion: "1.2", Tags: map[string]string{"env": "prod"}, Interval: time.Second,
	}
	r.Introduce(who)
	r.Saw("web-1", c.millis())
	r.Saw("db-1", c.millis())
	r.Describe(metric.Type{Name: "queue_total", Unit: "jobs", Help: "Jobs so far.", Kind: metric.Counter, Labels: []string{"q"}})
	before := r.Hosts("")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	first := c.now
	c.pass(30 * time.Second)
	r = open(t, dir, c)
	got := r.only(t, "web")
	if !got.Reporter.equal(who) || !got.FirstSeen.Equal(first) || !got.LastSeen.Equal(first) || got.Status != Stale || got.Conflict {
		t.Errorf("got %+v, was %+v", got, before[1])
	}
	if !r.Knows("db-1") || r.Knows("db") || len(r.Hosts("")) != 2 || r.Hosts("")[0].Hostname != "db-1" {
		t.Errorf("hosts %+v", r.Hosts(""))
	}
	if typ, builtIn, known := r.Type("queue_total"); builtIn || !known || typ.Unit != "jobs" || typ.Help != "Jobs so far." || typ.Kind != metric.Counter || !slices.Equal(typ.Labels, []string{"q"}) {
		t.Errorf("type %+v, %t, %t", typ, builtIn, known)
	}
	if r.Unit("queue_total") != "jobs" || r.Unit("cpu") != metric.Percent || r.Unit("nonesuch") != metric.Count {
		t.Error("units are wrong")
	}
	c.pass(40 * time.Second)
	if got := r.only(t, "web").Status; got != Down {
		t.Errorf("status %d a minute and more after the last sample, over a restart", got)
	}
}

// TestSavedInTime is what survives a kill.
func TestSavedInTime(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, newClock())
	r.Introduce(Reporter{Hostname: "web-1"})
	path := filepath.Join(dir, "fleet.json")
	for deadline := time.Now().Add(saveInterval + 30*time.Second); ; time.Sleep(5 * time.Millisecond) {
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), "web-1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not saved")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestLeftover: what a kill in the middle of saving leaves is used again.
func TestLeftover(t *testing.T) {
	dir := t.TempDir()
	for i := range int64(3) {
		if err := os.WriteFile(filepath.Join(dir, "fleet.json.tmp"), []byte(strings.Repeat("half", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, dir, newClock())
		r.Saw("web-1", time.Now().UnixMilli()+i) // each time later, or there is nothing to save
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "fleet.json" {
		t.Errorf("files %v, %v", files, err)
	}
	open(t, dir, newClock()).only(t, "web-1")
}

func TestUnreadableFile(t *testing.T) {
	f := func(content string, want ...string) {
		t.Helper()
		dir := t.TempDir()
		path := filepath.Join(dir, "fleet.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(Options{Dir: dir})
		if err == nil {
			_ = r.Close()
			t.Fatalf("opened %q", content)
		}
		for _, w := range append(want, path) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v; want %q", content, err, w)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("the file was changed to %q (%v)", got, err)
		}
	}
	f(`{"version":1,"hosts":[{"hostname":"we`, "damaged", "move it away")
	f(``, "damaged", "move it away")
	f(`{"version":2,"clans":[]}`, "newer", "format 2")
}

// TestConflict notices two agents under one name, and that one has gone.
func TestConflict(t *testing.T) {
	c := newClock()
	var log bytes.Buffer
	r, err := Open(Options{Now: c.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := func(id string, warned, conflict bool, logged int) {
		t.Helper()
		c.pass(10 * time.Second)
		warning := r.Introduce(Reporter{Hostname: "web-1", ID: id})
		if (warning != "") != warned || warned && !(strings.Contains(warning, "web-1") && strings.Contains(warning, "--hostname")) {
			t.Errorf("%s is warned with %q", id, warning)
		}
		if got := r.only(t, "web-1").Conflict; got != conflict {
			t.Errorf("conflict %t after %s", got, id)
		}
		if got := strings.Count(log.String(), "two agents"); got != logged {
			t.Errorf("logged %d times after %s, want %d", got, id, logged)
		}
	}
	f("a", false, false, 0)
	f("a", false, false, 0)
	f("", false, false, 0) // a reporter without an id is not a second agent
	f("b", true, true, 1)
	f("a", true, true, 1)
	f("b", true, true, 1)
	for range 5 { // a is heard of no more
		f("b", true, true, 1)
	}
	f("b", false, false, 1)
	if r.Introduce(Reporter{Hostname: "web-2", ID: "a"}) != "" {
		t.Error("another host is no conflict")
	}
	f("a", true, true, 2)
}

// TestDescribe keeps what was known where a sender says less.
func TestDescribe(t *testing.T) {
	r := open(t, "", newClock())
	f := func(say, want metric.Type) {
		t.Helper()
		r.Describe(say)
		got, builtIn, known := r.Type(say.Name)
		if builtIn || !known || got.Unit != want.Unit || got.Help != want.Help || got.Kind != want.Kind || !slices.Equal(got.Labels, want.Labels) {
			t.Errorf("after %+v: %+v, want %+v", say, got, want)
		}
	}
	f(metric.Type{Name: "q"}, metric.Type{Unit: metric.Count})
	f(metric.Type{Name: "q", Unit: "jobs", Labels: []string{"b"}}, metric.Type{Unit: "jobs", Labels: []string{"b"}})
	f(metric.Type{Name: "q", Help: "Jobs.", Kind: metric.Counter, Labels: []string{"a", "b"}},
		metric.Type{Unit: "jobs", Help: "Jobs.", Kind: metric.Counter, Labels: []string{"a", "b"}})
	f(metric.Type{Name: "q", Unit: "tasks"}, metric.Type{Unit: "tasks", Help: "Jobs.", Labels: []string{"a", "b"}})
	r.Describe(metric.Type{Name: metric.CPU, Unit: "bananas", Help: "No."})
	if typ, builtIn, _ := r.Type(metric.CPU); !builtIn || typ.Unit != metric.Percent {
		t.Errorf("the catalog was changed: %+v", typ)
	}
}

// TestHostsAreCopies: a caller cannot change what is known.
func TestHostsAreCopies(t *testing.T) {
	r := open(t, "", newClock())
	r.Introduce(Reporter{Hostname: "a", Tags: map[string]string{"env": "prod"}})
	r.only(t, "a").Tags["env"] = "changed"
	if got := r.only(t, "a").Tags["env"]; got != "prod" {
		t.Errorf("env is %q", got)
	}
}

// TestTypesAreBounded: a sender that makes names up does not fill the registry.
func TestTypesAreBounded(t *testing.T) {
	r := open(t, "", newClock())
	for n := range maxTypes + 10 {
		r.Describe(metric.Type{Name: fmt.Sprint("m", n), Unit: "jobs"})
	}
	r.Describe(metric.Type{Name: "m0", Unit: "tasks"})
	if got := r.Unit("m0"); got != "tasks" {
		t.Errorf("what is known can no longer change: %q", got)
	}
	if _, _, known := r.Type(fmt.Sprint("m", maxTypes)); known || len(r.types) != maxTypes {
		t.Errorf("%d types are kept", len(r.types))
	}
}
