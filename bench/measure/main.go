// Command measure prints what Vitals costs and how fast it is, each number
// beside that of a peer or its aim, and keeps the result in results/. It needs
// Linux, and the network once, for the peers.
//
//	go run ./measure            # quick
//	go run ./measure -full      # more rounds, longer
//	go run ./measure query disk # these parts only
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/result"
)

// bench is how to measure.
type bench struct {
	vitals  string        // the program
	cache   string        // the peers' programs
	work    string        // everything else, removed in the end
	record  string        // the recording of a host
	rounds  int           // of each comparison
	each    time.Duration // how long a load of rpc or fanout is in a round
	samples uint64        // in each round of ingest
	warmUp  time.Duration
	watch   time.Duration // how long the agent and the fleet are watched
	queries int
	hosts   int           // whose day is asked for
	fans    []fan         // of fanout
	fleets  []int         // of growth: numbers of hosts
	idle    time.Duration // how long a server rests before its memory is looked at
	full    bool
	types   bool   // which metric types take how much on disk
	only    string // of a part's loads, only those with this in their names
	alone   bool   // without peers
	page    string // into which the rows are put
	debug   string // where the server that is measured serves profiles

	table    *result.Table
	versions map[string]string // of the peers, by name
}

func (b *bench) logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// part is one group of measurements.
type part struct {
	name string
	run  func(*bench, context.Context, *result.Table) error
}

var parts = []part{
	{"rpc", (*bench).rpc},
	{"fanout", (*bench).fanout},
	{"ingest", (*bench).ingest},
	{"disk", (*bench).disk},
	{"query", (*bench).query},
	{"day", (*bench).day},
	{"agent", (*bench).agent},
	{"growth", (*bench).growth},
	{"startup", (*bench).startup},
}

// partNames are the names of all, between separators.
func partNames(separator string) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return strings.Join(names, separator)
}

func main() {
	b := &bench{
		rounds: 5, each: time.Second, samples: 1_000_000, warmUp: 5 * time.Second, watch: 20 * time.Second, queries: 100,
		hosts: queryHosts, fans: fans, fleets: fleetSizes, idle: 30 * time.Second,
	}
	flag.BoolVar(&b.full, "full", false, "more and longer rounds, and the peers on two cores, too")
	watch := flag.Duration("watch", 0, "how long the agent and the fleet are watched (default 20s, with -full 2m)")
	results := flag.String("results", "results", "`folder` for the result; empty: none is kept")
	flag.StringVar(&b.vitals, "vitals", "", "the vitals `program` (default: built from the tree)")
	flag.StringVar(&b.cache, "cache", defaultCache(), "`folder` for the peers' programs")
	flag.StringVar(&b.record, "recording", "testdata/host.recording", "`file` that the record command made, for the bytes a sample")
	flag.StringVar(&b.debug, "debug", "", "loopback `address` at which the server that is measured serves profiles")
	flag.StringVar(&b.only, "only", "", "of ingest, rpc and fanout, only the loads that have this `text` in their names")
	flag.BoolVar(&b.alone, "alone", false, "of ingest, leave the peers out")
	flag.BoolVar(&b.types, "types", false, "of disk, show on stderr what each metric type takes")
	interfaces := flag.Int("interfaces", 0, "measure in a network namespace that has this `number` of interfaces with traffic, six series each (needs root)")
	profile := flag.String("cpuprofile", "", "`file` for a profile of the measuring itself, for what is measured in process")
	flag.StringVar(&b.page, "page", "", "`file`, such as ../docs/performance.md, whose marked places get the rows of each part")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: measure [flags] [%s ...]\n", partNames("|"))
		flag.PrintDefaults()
	}
	flag.Parse()
	if b.page != "" && b.only != "" {
		fmt.Fprintln(os.Stderr, "measure: -page takes the rows of whole parts: leave -only out")
		os.Exit(2)
	}
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			fmt.Fprintf(os.Stderr, "measure: %q is none of the parts: %s\n", name, partNames(", "))
			os.Exit(2)
		}
	}
	if b.full {
		b.rounds, b.each, b.samples = 9, 5*time.Second, 3_000_000
		b.warmUp, b.watch, b.queries = 15*time.Second, 2*time.Minute, 300
	}
	if *watch > 0 {
		b.watch = *watch
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *interfaces > 0 {
		inside, err := withInterfaces(ctx, *interfaces)
		if err != nil {
			fmt.Fprintln(os.Stderr, "measure:", err)
			os.Exit(1)
		}
		if !inside {
			return
		}
	}
	stopProfile, err := startProfile(*profile)
	if err == nil {
		err = errors.Join(b.measure(ctx, flag.Args(), *results), stopProfile())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// wants reports whether a load of that name is asked for.
func (b *bench) wants(load string) bool { return strings.Contains(load, b.only) }

// startProfile writes a profile until stop; an empty path means none.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return out.Close()
	}, pprof.StartCPUProfile(out)
}

func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "vitals-bench")
}

func (b *bench) measure(ctx context.Context, names []string, results string) (err error) {
	if err := os.MkdirAll(b.cache, 0o755); err != nil { //nolint:gosec // programs, no secrets
		return err
	}
	if b.work, err = os.MkdirTemp("", "vitals-bench-*"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.work) }() // in the temporary folder; nothing more can be done
	if b.vitals == "" {
		b.vitals = filepath.Join(b.work, "vitals")
		cmd := exec.CommandContext(ctx, "go", "build", "-C", "..", "-trimpath", "-o", b.vitals, "./cmd/vitals") //nolint:gosec // our own program
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("vitals does not build (%w): %s", err, out)
		}
	}
	before := result.LoadAverage()
	b.table = &result.Table{Progress: os.Stderr}
	for _, p := range parts {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		if err := b.measurePart(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	head := result.Machine(ctx, before, result.LoadAverage()) + b.peerVersions()
	fmt.Print(strings.TrimPrefix(b.table.Markdown(head), "# Measured\n\n"))
	if results == "" {
		return nil
	}
	path, err := b.table.Write(results, head)
	b.logf("kept in %s", path)
	return err
}

// measurePart measures one part and puts its rows into the page, if there is one.
func (b *bench) measurePart(ctx context.Context, p part) error {
	b.logf("%s:", p.name)
	before, others := result.LoadAverage(), b.versions
	b.versions = map[string]string{}
	defer func() { maps.Copy(b.versions, others) }()
	t := &result.Table{Progress: os.Stderr}
	if err := p.run(b, ctx, t); err != nil {
		return err
	}
	b.table.Join(t)
	if b.page == "" {
		return nil
	}
	return t.Document(b.page, p.name, result.Machine(ctx, before, result.LoadAverage())+b.peerVersions())
}

// peerVersions says which versions of the peers were measured.
func (b *bench) peerVersions() (text string) {
	for _, name := range slices.Sorted(maps.Keys(b.versions)) {
		text += "; " + name + " " + b.versions[name]
	}
	return text
}
