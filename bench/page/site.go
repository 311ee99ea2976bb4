package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/bench/internal/process"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
)

// site is a real server, a fleet that reports to it, and one real agent.
type site struct {
	url, addr, dir, vitals string
	server, agent          *process.Process
	fleet                  simulate.Options
	fleetID                int // of its process
	client                 *client.Client

	stop  context.CancelFunc
	ended chan error
}

const agentName = "page-agent"

// newSite starts all of it and waits until each host's history is there and the
// fleet is live.
func newSite(ctx context.Context, vitals, dir string, hosts, series int, history time.Duration) (s *site, err error) {
	s = &site{vitals: vitals, dir: dir}
	s.fleet = simulate.Options{
		Hosts: hosts, Series: series, Seed: 1, Backfill: history, Duration: time.Hour, Patient: true, Counts: &simulate.Counts{},
	}
	if s.addr, err = process.FreeAddress(); err != nil {
		return nil, err
	}
	s.url = "http://" + s.addr
	s.fleet.Server = s.url
	if s.client, err = client.New(s.url); err != nil {
		return nil, err
	}
	if err := s.serve(ctx); err != nil {
		return nil, err
	}
	spool := filepath.Join(dir, "spool")
	s.agent, err = process.Start(ctx, 0, vitals, "agent", "--server", s.url, "--hostname", agentName, "--spool-dir", spool)
	if err != nil {
		s.close()
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	if s.fleetID, s.ended, err = startFleet(running, s.fleet); err != nil {
		cancel()
		s.close()
		return nil, err
	}
	s.stop = cancel
	for s.fleet.Counts.HostsFilled.Load() < int64(hosts) {
		if err := s.wait(ctx, 100*time.Millisecond); err != nil {
			s.close()
			return nil, err
		}
	}
	if err := s.wait(ctx, 3*time.Second); err != nil { // till all are live
		s.close()
		return nil, err
	}
	return s, nil
}

// serve starts the server, again on the same address over the same folder.
func (s *site) serve(ctx context.Context) (err error) {
	s.server, err = process.Start(ctx, 0, s.vitals,
		"serve", "--listen", s.addr, "--data-dir", filepath.Join(s.dir, "data"), "--hostname", "page-server")
	if err != nil {
		return err
	}
	return s.server.Ready(ctx, s.url+"/healthz")
}

// yield lets the browser and what measures go first, for good: the server, the
// fleet and the agent get what these leave.
func (s *site) yield() error {
	return errors.Join(s.server.Yield(), s.agent.Yield(), process.Yield(s.fleetID))
}

// wait waits, and fails when the simulation does.
func (s *site) wait(ctx context.Context, length time.Duration) error {
	select {
	case err := <-s.ended:
		s.ended <- err
		return errors.Join(errors.New("the simulated fleet ended early"), err)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}

// close ends all that runs.
func (s *site) close() {
	if s.stop != nil {
		s.stop()
		_ = errors.Join(<-s.ended) // wait has told it, if it matters
	}
	if s.agent != nil {
		s.agent.Stop()
	}
	s.server.Stop()
	s.client.Close()
	_ = os.RemoveAll(s.dir) // in the temporary folder; nothing more can be done
}

// points are averages of the samples of a second, by the second since the epoch.
type points map[int64]float64

// seconds asks the server for one host's metric as live charts do: a point for
// each second that has a sample.
func (s *site) seconds(ctx context.Context, metric, host string, from, to time.Time) (points, error) {
	res, err := s.client.Query().QueryRange(ctx, &monitoringv1.QueryRangeRequest{
		Selector: fmt.Sprintf("%s{hostname=%q}", metric, host), Start: timestamppb.New(from.Truncate(time.Second)),
		End: timestamppb.New(to.Truncate(time.Second)), MaxPoints: uint32(to.Sub(from).Seconds()) + 2, //nolint:gosec // some seconds
	})
	if err != nil {
		return nil, err
	}
	if n := len(res.GetSeries()); n != 1 || res.GetStep().AsDuration() != time.Second {
		return nil, fmt.Errorf("%d series of %s of %s, each %s; want one, each second", n, metric, host, res.GetStep().AsDuration())
	}
	return meansOf(res.GetSeries()[0].GetTimes(), res.GetSeries()[0].GetAverages()), nil
}

// meansOf puts samples together that are of the same second; times are in seconds.
func meansOf(times, values []float64) points {
	sums, counts := points{}, map[int64]float64{}
	for i, at := range times {
		second := int64(math.Floor(at + 1e-6)) // a double's last digits
		sums[second] += values[i]
		counts[second]++
	}
	for second, n := range counts {
		sums[second] /= n
	}
	return sums
}
