package collect

import (
	"context"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// selfSource measures what this very process costs its host.
type selfSource struct {
	reader      *selfReader
	cpu, memory *metric.Series
	before, at  time.Duration
	primed      bool
}

func newSelfSource(sys system, host hostSeries) *selfSource {
	return &selfSource{
		reader: newSelfReader(sys),
		cpu:    host.series("agent_cpu"),
		memory: host.series("agent_memory"),
	}
}

func (s *selfSource) name() string { return "agent" }

func (s *selfSource) collect(ctx context.Context, r *round) error {
	spent, resident, err := s.reader.read(ctx)
	if err != nil {
		return err
	}
	if elapsed := r.at - s.at; s.primed && elapsed > 0 && spent >= s.before {
		r.addShare(s.cpu, share(spent-s.before, elapsed, r.cores))
	}
	s.before, s.at, s.primed = spent, r.at, true
	r.addUse(s.memory, resident)
	return nil
}

// share is processor time as a percentage of what all cores had to give. The
// kernel counts in ticks, which may fall a little on either side.
func share(spent, elapsed time.Duration, cores int) float64 {
	return min(100, 100*spent.Seconds()/(elapsed.Seconds()*float64(cores)))
}
