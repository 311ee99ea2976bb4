package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/vitals-rpc/vitals/bench/internal/result"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store"
)

const (
	queryHosts = 100
	dayLength  = 24 * time.Hour
	yearLength = 365 * dayLength
)

// query measures reads of a day, a month and a year, by the store in this
// process and by a real server over the loopback.
func (b *bench) query(ctx context.Context, t *result.Table) error {
	dir, remove, err := b.folder()
	if err != nil {
		return err
	}
	defer remove()
	end := time.Now().Truncate(time.Second)
	started := time.Now()
	s, err := fillYear(ctx, dir, end)
	if err != nil {
		return err
	}
	b.logf("    a year of %d hosts made in %s; %s before the end are in the tiers", queryHosts, time.Since(started).Round(time.Second),
		end.Sub(time.UnixMilli(s.Stats().MinuteEnd)).Round(time.Second))
	err = b.inProcess(ctx, t, s, end)
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	p, err := b.serve(ctx, 0, dir)
	if err != nil {
		return err
	}
	defer p.Stop()
	if err := b.overLoopback(ctx, t, "by RPC", p, end); err != nil {
		return err
	}
	return b.overLoopback(ctx, t, "by RPC, gzip", p, end, client.WithGzip())
}

// span is how far back a query reads.
type span struct {
	name   string
	length time.Duration
}

var spans = []span{{"24 h", dayLength}, {"30 d", 30 * dayLength}, {"a year", yearLength}}

// queryAims are in milliseconds, by the number of series.
var queryAims = map[int]float64{1: 1, queryHosts: 20}

// times measures a query of one host, each time another, and of all hosts, over
// each span.
func (b *bench) times(t *result.Table, where string, ask func(host int, length time.Duration) (series int, tier string, err error)) error {
	for _, sp := range spans {
		for _, hosts := range []int{1, queryHosts} {
			var took []float64
			var tier string
			n := b.queries
			if hosts > 1 {
				n /= 2
			}
			for i := range n + 5 {
				host := -1
				if hosts == 1 {
					host = i % queryHosts
				}
				start := time.Now()
				series, from, err := ask(host, sp.length)
				if err != nil {
					return err
				}
				if series != hosts {
					return fmt.Errorf("%s of %d hosts gave %d series", sp.name, hosts, series)
				}
				if tier = from; i >= 5 { // the first few open files and connections
					took = append(took, float64(time.Since(start).Microseconds())/1000)
				}
			}
			aim := queryAims[hosts]
			t.Add(fmt.Sprintf("QueryRange %s, %d series, %s, least / p50 / p95 ms", sp.name, hosts, where),
				fmt.Sprintf("%.2f / %.2f / %.2f (%s)", slices.Min(took), result.Median(took), result.Percentile(took, 95), tier), fmt.Sprintf("aim %.0f", aim), result.AtMost(result.Median(took), aim))
		}
	}
	return nil
}

func (b *bench) inProcess(ctx context.Context, t *result.Table, s *store.Store, end time.Time) error {
	return b.times(t, "in process", func(host int, length time.Duration) (int, string, error) {
		matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, metric.TypeLabel, metric.CPU)}
		if host >= 0 {
			matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, metric.HostLabel, hostName(host)))
		}
		got, err := s.Range(ctx, store.RangeRequest{Matchers: matchers, Start: end.Add(-length).UnixMilli(), End: end.UnixMilli() - 1, MaxPoints: 500})
		return len(got.Series), got.Tier.String(), err
	})
}

func (b *bench) overLoopback(ctx context.Context, t *result.Table, where string, p *running, end time.Time, options ...client.Option) error {
	c, err := client.New(p.url, append(options, as(p.viewer))...)
	if err != nil {
		return err
	}
	defer c.Close()
	return b.times(t, where, func(host int, length time.Duration) (int, string, error) {
		selector := `cpu{hostname=~"sim-.*"}`
		if host >= 0 {
			selector = fmt.Sprintf("cpu{hostname=%q}", hostName(host))
		}
		res, err := c.Query().QueryRange(ctx, &monitoringv1.QueryRangeRequest{
			Selector: selector, Start: timestamppb.New(end.Add(-length)), End: timestamppb.New(end.Add(-time.Millisecond)), MaxPoints: 500,
		})
		return len(res.GetSeries()), tierNames[res.GetTier()], err
	})
}

var tierNames = map[monitoringv1.Tier]string{
	monitoringv1.Tier_TIER_RAW: "raw", monitoringv1.Tier_TIER_MINUTE: "minute", monitoringv1.Tier_TIER_HOUR: "hour",
}

func hostName(i int) string { return fmt.Sprintf("sim-%04d", i) }
