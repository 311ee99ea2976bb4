package collect

import (
	"context"
	"fmt"

	"github.com/vitals-rpc/vitals/metric"
)

// space is the room of a file system in bytes. available is what a user
// without privileges can still take, which is less than total-used where the
// file system keeps a reserve.
type space struct {
	total, used, available uint64
}

// diskSource measures the root file system, the disk of the classic contract.
type diskSource struct {
	root string
	used *metric.Series
}

func newDiskSource(sys system, host hostSeries) *diskSource {
	return &diskSource{sys.root, host.series(metric.Disk)}
}

func (s *diskSource) name() string { return "disk" }

func (s *diskSource) collect(ctx context.Context, r *round) error {
	size, err := statSpace(ctx, s.root)
	if err != nil {
		return fmt.Errorf("space of %s: %w", s.root, err)
	}
	r.addUse(s.used, size.used)
	return nil
}
