package collect

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// diskSpaceSource measures the space of each mounted file system. A local one
// is asked in each round. One that is over the network is asked every
// [SlowInterval] and on a goroutine of its own, since a file server that is
// gone can hold up the question for hours; there is never more than one
// question under way for each.
type diskSpaceSource struct {
	lister   *mountLister
	host     hostSeries
	logger   *slog.Logger
	schedule schedule
	mounts   map[mount]*mountState
	listed   []*mountState // in the order of the listing
	stat     func(ctx context.Context, path string) (space, error)
}

type mountState struct {
	mount             mount
	total, used, free *metric.Series
	askAt             time.Duration
	pending           chan spaceAnswer // nil: no question under way
	failed            bool
}

type spaceAnswer struct {
	space space
	err   error
}

func newDiskSpaceSource(sys system, host hostSeries, logger *slog.Logger) *diskSpaceSource {
	return &diskSpaceSource{
		lister: newMountLister(sys),
		host:   host,
		logger: logger,
		mounts: map[mount]*mountState{},
		stat:   statSpace,
	}
}

func (s *diskSpaceSource) name() string { return "disk_space" }

func (s *diskSpaceSource) collect(ctx context.Context, r *round) error {
	err := s.schedule.run(ctx, r.at, func() error {
		mounts, err := s.lister.list(ctx)
		if err == nil {
			s.update(mounts)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range s.listed {
		answer, ok := s.ask(ctx, r, m)
		if !ok {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.report(m, answer.err)
		if answer.err == nil && answer.space.total > 0 {
			r.add(m.total, float64(answer.space.total)/gigabyte)
			r.addUse(m.used, answer.space.used)
			r.addUse(m.free, answer.space.available)
		}
	}
	return nil
}

// update takes over a new listing and keeps what is known of mounts that are
// still there.
func (s *diskSpaceSource) update(mounts []mount) {
	s.listed = s.listed[:0]
	known := make(map[mount]*mountState, len(mounts))
	for _, m := range mounts {
		state := s.mounts[m]
		if state == nil {
			labels := []string{"mount", labelValue(m.point), "device", labelValue(m.device)}
			state = &mountState{
				mount: m,
				total: s.host.series("disk_space_total", labels...),
				used:  s.host.series("disk_space_used", labels...),
				free:  s.host.series("disk_space_free", labels...),
			}
		}
		known[m] = state
		s.listed = append(s.listed, state)
	}
	s.mounts = known
}

// ask returns the answer of one file system, if there is one in this round.
func (s *diskSpaceSource) ask(ctx context.Context, r *round, m *mountState) (spaceAnswer, bool) {
	if !m.mount.remote {
		size, err := s.stat(ctx, m.mount.point)
		return spaceAnswer{size, err}, true
	}
	if m.pending == nil && r.at >= m.askAt {
		answers := make(chan spaceAnswer, 1)
		m.pending, m.askAt = answers, r.at+SlowInterval-SlowInterval/10
		go func() {
			// The question cannot be taken back, so it outlives the round.
			size, err := s.stat(context.WithoutCancel(ctx), m.mount.point)
			answers <- spaceAnswer{size, err}
		}()
	}
	select {
	case answer := <-m.pending:
		m.pending = nil
		return answer, true
	default:
		return spaceAnswer{}, false
	}
}

// report logs a mount that begins or ceases to fail. One that cannot be read
// for want of permission is normal for another user's FUSE mount.
func (s *diskSpaceSource) report(m *mountState, err error) {
	if (err != nil) == m.failed {
		return
	}
	m.failed = err != nil
	switch {
	case err == nil:
		s.logger.Info("file system can be measured again", "mount", m.mount.point, "device", m.mount.device)
	case errors.Is(err, fs.ErrPermission):
		s.logger.Debug("file system skipped: it may not be measured by this user", "mount", m.mount.point, "device", m.mount.device, "error", err)
	default:
		s.logger.Warn("file system cannot be measured and is skipped", "mount", m.mount.point, "device", m.mount.device, "error", err)
	}
}
