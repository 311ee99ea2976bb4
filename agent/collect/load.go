package collect

import (
	"context"

	"github.com/vitals-rpc/vitals/metric"
)

// loadSource measures the load averages, which Windows does not have.
type loadSource struct {
	reader *loadReader
	series [3]*metric.Series
}

func newLoadSource(sys system, host hostSeries) *loadSource {
	return &loadSource{
		newLoadReader(sys),
		[3]*metric.Series{host.series("load1"), host.series("load5"), host.series("load15")},
	}
}

func (s *loadSource) name() string { return "load" }

func (s *loadSource) collect(ctx context.Context, r *round) error {
	averages, err := s.reader.read(ctx)
	if err != nil {
		return err
	}
	for i, average := range averages {
		r.addHundredths(s.series[i], average)
	}
	return nil
}
