package collect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// processReading is one process in one scan. The name is valid during the call
// that hands it over.
type processReading struct {
	pid  int
	name []byte
	// start tells a process from a later one with the same pid, in any unit.
	start    uint64
	spent    time.Duration
	resident uint64
}

// processSource measures the processes by name: the busiest and the largest.
// It scans them every [SlowInterval]; a process that began and ended between
// two scans is not seen.
type processSource struct {
	scanner  *processScanner
	visit    func(processReading)
	top      int
	schedule schedule

	scans     int
	at        time.Duration
	primed    bool // whether a scan has succeeded
	processes map[int]processState
	names     map[string]*nameUsage
	ranking   []*nameUsage
	total     *metric.Series
	cpu       seriesByName
	memory    seriesByName
}

type processState struct {
	start uint64
	spent time.Duration
	scan  int
}

// nameUsage sums over the processes of one name.
type nameUsage struct {
	name     string
	spent    time.Duration
	resident uint64
	scan     int
}

func newProcessSource(sys system, host hostSeries, top int) *processSource {
	s := &processSource{
		scanner:   newProcessScanner(sys),
		top:       max(0, top),
		processes: map[int]processState{},
		names:     map[string]*nameUsage{},
		total:     host.series("processes"),
		cpu:       seriesByName{host: host, metricType: "process_cpu"},
		memory:    seriesByName{host: host, metricType: "process_memory"},
	}
	s.visit = s.observe
	return s
}

func (s *processSource) name() string { return "processes" }

func (s *processSource) collect(ctx context.Context, r *round) error {
	return s.schedule.run(ctx, r.at, func() error { return s.measure(ctx, r) })
}

func (s *processSource) measure(ctx context.Context, r *round) error {
	s.scans++
	if err := s.scanner.scan(ctx, s.visit); err != nil {
		return err
	}
	s.forget()
	r.add(s.total, float64(len(s.processes)))
	if elapsed := r.at - s.at; s.primed && elapsed >= leastSpan {
		for _, usage := range s.rank(bySpent) {
			r.addShare(s.cpu.get(usage.name), share(usage.spent, elapsed, r.cores))
		}
	}
	s.at, s.primed = r.at, true
	for _, usage := range s.rank(byResident) {
		r.addUse(s.memory.get(usage.name), usage.resident)
	}
	return nil
}

// observe takes in one process of the scan under way.
func (s *processSource) observe(p processReading) {
	before := s.processes[p.pid]
	s.processes[p.pid] = processState{p.start, p.spent, s.scans}
	usage := s.names[string(p.name)]
	if usage == nil {
		usage = &nameUsage{name: string(p.name)}
		s.names[usage.name] = usage
	}
	if usage.scan != s.scans {
		usage.spent, usage.resident, usage.scan = 0, 0, s.scans
	}
	usage.resident += p.resident
	switch {
	case before.scan == 0 || before.start != p.start:
		// Not there in the scan before, so all its time was since then.
		usage.spent += p.spent
	case p.spent > before.spent:
		usage.spent += p.spent - before.spent
	}
}

// forget drops what the scan did not see again.
func (s *processSource) forget() {
	for pid, p := range s.processes {
		if p.scan != s.scans {
			delete(s.processes, pid)
		}
	}
	for name, usage := range s.names {
		if usage.scan != s.scans {
			delete(s.names, name)
		}
	}
}

func bySpent(u *nameUsage) uint64 { return uint64(u.spent) }

func byResident(u *nameUsage) uint64 { return u.resident }

// rank returns the names that use most, the largest first; equal ones by name,
// and none that use nothing. The slice is valid until the next call.
func (s *processSource) rank(by func(*nameUsage) uint64) []*nameUsage {
	s.ranking = s.ranking[:0]
	for _, usage := range s.names {
		if by(usage) > 0 {
			s.ranking = append(s.ranking, usage)
		}
	}
	slices.SortFunc(s.ranking, func(a, b *nameUsage) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.name, b.name))
	})
	return s.ranking[:min(s.top, len(s.ranking))]
}

// seriesByName keeps the series of process names. Names come and go in the
// ranking, so they are kept well beyond the top few, but not without end.
type seriesByName struct {
	host       hostSeries
	metricType string
	series     map[string]*metric.Series
}

const maxNamedSeries = 1000

func (n *seriesByName) get(name string) *metric.Series {
	if s := n.series[name]; s != nil {
		return s
	}
	if n.series == nil || len(n.series) >= maxNamedSeries {
		n.series = map[string]*metric.Series{}
	}
	s := n.host.series(n.metricType, "process", labelValue(name))
	n.series[name] = s
	return s
}
