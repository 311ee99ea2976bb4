package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/metric"
)

// uptimeSource measures the time since the system started.
type uptimeSource struct{ series *metric.Series }

func newUptimeSource(host hostSeries) *uptimeSource {
	return &uptimeSource{host.series("uptime")}
}

func (s *uptimeSource) name() string { return "uptime" }

func (s *uptimeSource) collect(ctx context.Context, r *round) error {
	seconds, err := uptimeSeconds(ctx)
	if err != nil {
		return err
	}
	r.add(s.series, seconds)
	return nil
}
