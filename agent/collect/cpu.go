package collect

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// cpuTimes is the time that one processor, or all of them, spent in each mode
// since the start, in any unit. Guest time is part of user and nice, and is
// not counted again.
type cpuTimes struct {
	user, nice, system, irq, iowait, steal, idle float64
}

// cpuModes are the modes that cpu_mode reports.
var cpuModes = []struct {
	name string
	of   func(cpuTimes) float64
}{
	{"user", func(t cpuTimes) float64 { return t.user }},
	{"nice", func(t cpuTimes) float64 { return t.nice }},
	{"system", func(t cpuTimes) float64 { return t.system }},
	{"irq", func(t cpuTimes) float64 { return t.irq }},
	{"iowait", func(t cpuTimes) float64 { return t.iowait }},
	{"steal", func(t cpuTimes) float64 { return t.steal }},
}

// busy is all time but idle and waiting for I/O, as top and htop have it. A
// stolen tick was busy: somebody wanted it.
func (t cpuTimes) busy() float64 { return t.user + t.nice + t.system + t.irq + t.steal }

func (t cpuTimes) total() float64 { return t.busy() + t.iowait + t.idle }

// since is the time spent between before and t. The kernel lets idle and
// iowait go back a tick at times; that counts as none.
func (t cpuTimes) since(before cpuTimes) cpuTimes {
	return cpuTimes{
		user:   max(0, t.user-before.user),
		nice:   max(0, t.nice-before.nice),
		system: max(0, t.system-before.system),
		irq:    max(0, t.irq-before.irq),
		iowait: max(0, t.iowait-before.iowait),
		steal:  max(0, t.steal-before.steal),
		idle:   max(0, t.idle-before.idle),
	}
}

// coreTimes is the time of the core with that number. Numbers have gaps where
// cores are offline.
type coreTimes struct {
	id    int
	times cpuTimes
}

// cpuReading is one reading of the processors.
type cpuReading struct {
	total cpuTimes
	cores []coreTimes
}

// leastSpan is the shortest time over which processor time is worth a
// percentage: the kernel counts in ticks of 10 ms, so over less it is 0 or 100
// by chance.
const leastSpan = 50 * time.Millisecond

type coreState struct {
	series *metric.Series
	before cpuTimes
	seenAt int // the round's number; see cpuSource.rounds
}

type cpuSource struct {
	reader *cpuReader
	host   hostSeries
	now    cpuReading
	before cpuTimes
	at     time.Duration // of before
	rounds int
	total  *metric.Series
	modes  []*metric.Series
	cores  map[int]*coreState
}

func newCPUSource(sys system, host hostSeries) *cpuSource {
	s := &cpuSource{
		reader: newCPUReader(sys),
		host:   host,
		total:  host.series(metric.CPU),
		cores:  map[int]*coreState{},
	}
	for _, mode := range cpuModes {
		s.modes = append(s.modes, host.series("cpu_mode", "mode", mode.name))
	}
	return s
}

func (s *cpuSource) name() string { return "cpu" }

func (s *cpuSource) collect(ctx context.Context, r *round) error {
	if s.rounds > 0 && r.at-s.at < leastSpan {
		return nil
	}
	if err := s.reader.read(ctx, &s.now); err != nil {
		return err
	}
	if len(s.now.cores) == 0 {
		return errors.New("the system lists no processors")
	}
	r.cores = len(s.now.cores)
	spent := s.now.total.since(s.before)
	reset := s.now.total.total() < s.before.total()
	if s.rounds > 0 && !reset && spent.total() == 0 {
		return nil // the kernel has not counted on since the round before
	}
	s.rounds++
	s.at = r.at
	if s.rounds > 1 && !reset {
		r.addPercent(s.total, 100*spent.busy()/spent.total())
		for i, mode := range cpuModes {
			r.addPercent(s.modes[i], 100*mode.of(spent)/spent.total())
		}
	}
	s.before = s.now.total
	for _, core := range s.now.cores {
		s.addCore(r, core)
	}
	return nil
}

func (s *cpuSource) addCore(r *round, core coreTimes) {
	state := s.cores[core.id]
	if state == nil {
		state = &coreState{series: s.host.series("cpu_core", "core", strconv.Itoa(core.id))}
		s.cores[core.id] = state
	}
	// A core that was offline in the round before starts with a new baseline.
	known := state.seenAt > 0 && state.seenAt == s.rounds-1
	if known && core.times.total() > state.before.total() {
		if spent := core.times.since(state.before); spent.total() > 0 {
			r.addPercent(state.series, 100*spent.busy()/spent.total())
		}
	}
	state.before, state.seenAt = core.times, s.rounds
}
