package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// options is the parsed command line.
type options struct {
	bench *bench
	parts []string // none: all
	// results is the folder for the result; empty: none is kept.
	results string
	// interfaces is how many there are in the network namespace in which all is
	// measured; 0: in none of its own.
	interfaces int
	// profile is the file for a profile of the measuring itself; empty: none.
	profile string
}

// quick is what is measured unless -full is given.
func quick() *bench {
	return &bench{
		rounds: 5, each: time.Second, samples: 1_000_000, warmUp: 5 * time.Second, watch: 20 * time.Second, queries: 100,
		hosts: queryHosts, fans: fans, fleets: fleetSizes, idle: 30 * time.Second,
	}
}

// lengthen makes more and longer rounds.
func (b *bench) lengthen() {
	b.rounds, b.each, b.samples = 9, 5*time.Second, 3_000_000
	b.warmUp, b.watch, b.queries = 15*time.Second, 2*time.Minute, 300
}

// parse reads the command line; help and what is wrong with it are printed.
func parse(args []string) (*options, error) {
	o := &options{bench: quick()}
	b := o.bench
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	f.BoolVar(&b.full, "full", false, "more and longer rounds, and ingest on two cores, too")
	watch := f.Duration("watch", 0, "how long the agent is watched, and for half as long each fleet (default 20s, with -full 2m)")
	f.StringVar(&o.results, "results", "results", "`folder` for the result; empty: none is kept")
	f.StringVar(&b.page, "page", "", "`file`, such as ../docs/performance.md, whose marked places get the rows of each part")
	f.StringVar(&b.vitals, "vitals", "", "the vitals `program` (default: built from the tree)")
	f.StringVar(&b.cache, "cache", defaultCache(), "`folder` for the peers' programs")
	f.StringVar(&b.record, "recording", "testdata/host.recording", "`file` that the record command made, for the bytes a sample")
	f.StringVar(&b.debug, "debug", "", "loopback `address` at which the server that is measured serves profiles")
	f.StringVar(&b.only, "only", "", "of rpc and fanout, only the loads that have this `text` in their names")
	f.BoolVar(&b.alone, "alone", false, "of ingest and backlog, leave the peers out")
	f.BoolVar(&b.types, "types", false, "of disk, show on stderr what each metric type takes")
	f.IntVar(&o.interfaces, "interfaces", 0, "measure in a network namespace that has this `number` of interfaces with traffic, six series each (needs root)")
	f.StringVar(&o.profile, "cpuprofile", "", "`file` for a profile of the measuring itself, for what is measured in process")
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: measure [flags] [%s ...]\n", partNames("|"))
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if b.full {
		b.lengthen()
	}
	if *watch > 0 {
		b.watch = *watch
	}
	o.parts = f.Args()
	if err := o.check(); err != nil {
		fmt.Fprintln(f.Output(), "measure:", err)
		return nil, err
	}
	return o, nil
}

func (o *options) check() error {
	if o.bench.page != "" && o.bench.only != "" {
		return errors.New("-page takes the rows of whole parts: leave -only out")
	}
	for _, name := range o.parts {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("%q is none of the parts: %s", name, partNames(", "))
		}
	}
	return nil
}

func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "vitals-bench")
}
