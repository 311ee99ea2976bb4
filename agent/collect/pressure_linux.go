package collect

import (
	"context"
	"errors"
	"fmt"

	"github.com/vitals-rpc/vitals/agent/collect/internal/procfs"
	"github.com/vitals-rpc/vitals/metric"
)

// pressureSource measures how long tasks wait for resources (PSI), which Linux
// says since 4.20 where it was built with it.
type pressureSource struct{ resources []pressureResource }

type pressureResource struct {
	file       procFile
	some, full *metric.Series
}

func newPressureSource(sys system, host hostSeries) *pressureSource {
	s := &pressureSource{}
	for _, resource := range []string{"cpu", "memory", "io"} {
		s.resources = append(s.resources, pressureResource{
			file: procFile{path: sys.proc + "/pressure/" + resource},
			some: host.series("pressure", "resource", resource, "kind", "some"),
			full: host.series("pressure", "resource", resource, "kind", "full"),
		})
	}
	return s
}

func (s *pressureSource) name() string { return "pressure" }

func (s *pressureSource) collect(_ context.Context, r *round) error {
	for i := range s.resources {
		if err := s.resources[i].collect(r); err != nil {
			if errors.Is(err, errors.ErrUnsupported) {
				return fmt.Errorf("the kernel does not report pressure (PSI; boot with psi=1 if it was built in): %w", err)
			}
			return err
		}
	}
	return nil
}

func (p *pressureResource) collect(r *round) error {
	text, err := p.file.read()
	if err != nil {
		return err
	}
	pressure, err := procfs.ParsePressure(text)
	if err != nil {
		return err
	}
	r.addHundredths(p.some, pressure.Some)
	if pressure.HasFull {
		r.addHundredths(p.full, pressure.Full)
	}
	return nil
}
