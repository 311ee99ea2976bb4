// Command page measures the dashboard in Chromium without a window, against a real
// server, a simulated fleet and a real agent: what its first load weighs and takes,
// what it costs while it is open, how fast it zooms and scrolls, and whether its
// charts are whole after the server was killed. It keeps the result in results/.
// It needs Linux and Chromium.
//
//	go run ./page             # every part, about ten minutes
//	go run ./page load zoom   # these parts only
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
	"github.com/vitals-rpc/vitals/bench/internal/result"
)

// bench is how to measure.
type bench struct {
	vitals, chromium string // the programs
	hosts, many      int    // in the fleet and in the large one
	series           int
	history          time.Duration
	rounds           int           // of loads, zooms and scrolls
	kills            int           // of the server, for each of the stricken
	stricken         []string      // the hosts whose pages are open meanwhile
	live             time.Duration // how long the open page is watched
	settle           time.Duration // before that
	scroll           time.Duration // of a round
	outage           time.Duration
	around           time.Duration // before and after the outage, what is compared
	profiles         string        // a folder, empty for none
	document         string        // a page into which the rows are put, empty for none

	work    string // everything else, removed in the end
	browser *chromium.Browser
	site    *site
	table   *result.Table
}

func (b *bench) logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// part is one group of measurements; large ones are of the large fleet.
type part struct {
	name  string
	run   func(*bench, context.Context) error
	large bool
}

var parts = []part{
	{"load", (*bench).loads, false},
	{"live", (*bench).lives, false},
	{"zoom", (*bench).zooms, false},
	{"outage", (*bench).outages, false},
	{"many", (*bench).thousand, true},
}

func main() {
	if beFleet(os.Stdout) {
		return
	}
	b := &bench{kills: 3, stricken: []string{"sim-0000", agentName}, settle: 10 * time.Second, scroll: 4 * time.Second, outage: 10 * time.Second, around: 15 * time.Second}
	flag.IntVar(&b.hosts, "hosts", 200, "how `many` hosts the fleet has")
	flag.IntVar(&b.many, "many", 1000, "how `many` hosts the large fleet has")
	flag.IntVar(&b.series, "series", 30, "how `many` series each has")
	flag.DurationVar(&b.history, "history", time.Hour, "how much history there is")
	flag.IntVar(&b.rounds, "rounds", 5, "how `many` rounds of each load, zoom and scroll")
	flag.DurationVar(&b.live, "live", time.Minute, "how long an open page is watched")
	full := flag.Bool("full", false, "more and longer rounds: 15 of each, and five minutes of an open page")
	results := flag.String("results", "results", "`folder` for the result; empty: none is kept")
	flag.StringVar(&b.vitals, "vitals", "", "the vitals `program` (default: built from the tree)")
	flag.StringVar(&b.chromium, "chromium", "", "the browser's `program` (default: found in the path)")
	flag.StringVar(&b.profiles, "profiles", "", "`folder` for .cpuprofile files of loads, live, zooms and scrolls, for DevTools; costs time itself")
	flag.StringVar(&b.document, "page", "", "`file`, such as ../docs/performance.md, whose marked places get the rows of each part")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: page [flags] [load|live|zoom|outage|many ...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			fmt.Fprintf(os.Stderr, "page: %q is none of the parts: load, live, zoom, outage, many\n", name)
			os.Exit(2)
		}
	}
	if *full {
		b.rounds, b.kills, b.live = 15, 5, 5*time.Minute
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.measure(ctx, flag.Args(), *results)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

// measure runs the parts and prints and keeps what they found.
func (b *bench) measure(ctx context.Context, names []string, results string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Hour)
	defer cancel()
	if b.work, err = os.MkdirTemp("", "vitals-page-*"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.work) }() // in the temporary folder; nothing more can be done
	if err := b.programs(ctx); err != nil {
		return err
	}
	if b.browser, err = chromium.Start(ctx, b.chromium, b.work); err != nil {
		return err
	}
	defer b.browser.Stop()
	before := result.LoadAverage()
	b.table = &result.Table{Progress: os.Stderr}
	for _, large := range []bool{false, true} {
		if err := b.group(ctx, names, large); err != nil {
			return err
		}
	}
	head := b.head(ctx, before)
	fmt.Print(strings.TrimPrefix(b.table.Markdown(head), "# Measured\n\n"))
	if results == "" {
		return nil
	}
	path, err := b.table.Write(results, head)
	b.logf("kept in %s", path)
	return err
}

// head says what was measured where.
func (b *bench) head(ctx context.Context, before string) string {
	return "The page in " + b.browser.Version + " without a window; " + result.Machine(ctx, before, result.LoadAverage())
}

// measurePart runs a part and puts its rows into the document, if there is one.
func (b *bench) measurePart(ctx context.Context, p part) error {
	b.logf("%s:", p.name)
	before, all := result.LoadAverage(), b.table
	b.table = &result.Table{Progress: os.Stderr}
	err := p.run(b, ctx)
	rows := b.table
	all.Join(rows)
	b.table = all
	if err != nil || b.document == "" {
		return err
	}
	return rows.Document(b.document, p.name, b.head(ctx, before))
}

// programs finds the browser and builds the server.
func (b *bench) programs(ctx context.Context) (err error) {
	if b.chromium == "" {
		if b.chromium, err = chromium.Path(); err != nil {
			return err
		}
	}
	if b.profiles != "" {
		if err := os.MkdirAll(b.profiles, 0o755); err != nil { //nolint:gosec // no secrets
			return err
		}
	}
	if b.vitals != "" {
		return nil
	}
	b.vitals = filepath.Join(b.work, "vitals")
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/vitals-rpc/vitals").Output()
	if err != nil {
		return fmt.Errorf("the module of vitals is not found: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", strings.TrimSpace(string(module)), "-trimpath", "-o", b.vitals, "./cmd/vitals") //nolint:gosec // our own program
	out, err := build.CombinedOutput()
	if err != nil {
		return fmt.Errorf("vitals does not build (%w): %s", err, out)
	}
	return nil
}

// group runs the parts that are of one fleet, if any are asked for.
func (b *bench) group(ctx context.Context, names []string, large bool) (err error) {
	var chosen []part
	for _, p := range parts {
		if p.large == large && (len(names) == 0 || slices.Contains(names, p.name)) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(b.work, "site-*")
	if err != nil {
		return err
	}
	hosts, history := b.hosts, b.history
	if large {
		hosts, history = b.many, min(b.history, 10*time.Minute) // the fleet view shows the last five
	}
	b.logf("%d hosts of %d series with %s of history:", hosts, b.series, history)
	if b.site, err = newSite(ctx, b.vitals, dir, hosts, b.series, history); err != nil {
		return err
	}
	defer b.site.close()
	for _, p := range chosen {
		if err := b.measurePart(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
