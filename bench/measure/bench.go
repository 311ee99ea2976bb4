package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	{"backlog", (*bench).backlog},
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

// wants reports whether a load of that name is asked for.
func (b *bench) wants(load string) bool { return strings.Contains(load, b.only) }

// measure measures the named parts, or all, prints what came out, and keeps it in
// a folder unless that is empty.
func (b *bench) measure(ctx context.Context, names []string, results string) (err error) {
	if err := os.MkdirAll(b.cache, 0o755); err != nil { //nolint:gosec // programs, no secrets
		return err
	}
	if b.work, err = os.MkdirTemp("", "vitals-bench-*"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.work) }() // in the temporary folder; nothing more can be done
	if b.vitals == "" {
		if err := b.buildVitals(ctx); err != nil {
			return err
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

// buildVitals builds the server from the tree, as it is shipped.
func (b *bench) buildVitals(ctx context.Context) error {
	b.vitals = filepath.Join(b.work, "vitals")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", "..", "-trimpath", "-o", b.vitals, "./cmd/vitals") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("vitals does not build (%w): %s", err, out)
	}
	return nil
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
