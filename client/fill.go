package client

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

const (
	// fillSlack is how far behind the server's a host's clock may be.
	fillSlack = time.Minute
	// fillPiece is how much time one query reads.
	fillPiece = 5 * time.Minute
	// fillHosts is how many hosts one query reads where all of them are too many.
	fillHosts = 20
)

// filling is a part of what history has of a gap.
type filling struct {
	samples []metric.Sample
	last    bool
	upTo    time.Time // of the last part: up to when all was read; zero where some could not be
}

// window is a time: after the one, up to the other.
type window struct{ after, upTo time.Time }

// missed is the time that is to be filled now, by the server's clock.
func (f *follower) missed() window {
	return window{f.gap.from.Add(-fillSlack), f.heard.Add(time.Since(f.since))}
}

// fill reads history, from the server that the stream comes from. It asks for a
// PromQL range selector: it gives every sample with its own time, where a QueryRange
// would give buckets. What cannot be read now is there for the next filling.
func (f *follower) fill(ctx context.Context, req *monitoringv1.SubscribeRequest, w window, out chan<- filling) {
	complete := true
	for _, matchers := range selectorMatchers(req.GetSelectors()) {
		for a := w.after; a.Before(w.upTo); a = a.Add(fillPiece) {
			b := a.Add(fillPiece)
			if b.After(w.upTo) {
				b = w.upTo
			}
			parts, ok := f.read(ctx, matchers, window{a, b})
			complete = complete && ok
			for _, samples := range parts {
				select {
				case out <- filling{samples: samples}:
				case <-ctx.Done():
					return
				}
			}
		}
	}
	end := filling{last: true}
	if complete {
		end.upTo = w.upTo
	}
	select {
	case out <- end:
	case <-ctx.Done():
	}
}

// takeFilled gives what history has and the reader has not.
func (f *follower) takeFilled(part filling) error {
	if f.gap == nil {
		return nil
	}
	apart := f.request.GetInterval().AsDuration().Milliseconds()
	var fresh []metric.Sample
	last := map[string]int64{}
	for _, s := range part.samples {
		key := s.Series.Key()
		if at, ok := last[key]; ok && s.Time-at < apart {
			continue // the reader wants no more than one each interval
		}
		last[key] = s.Time
		if f.isNew(s.Series, s.Time, true) {
			fresh = append(fresh, s)
		}
	}
	return f.give(Batch{Samples: fresh, Filled: true})
}

// read reads the samples of a time; where they are of too many series, some hosts
// at a time. It is ok when all could be read.
func (f *follower) read(ctx context.Context, matchers []string, w window) (parts [][]metric.Sample, ok bool) {
	samples, err := f.query(ctx, matchers, w)
	if connect.CodeOf(err) != connect.CodeResourceExhausted || err == nil {
		return [][]metric.Sample{samples}, err == nil
	}
	hosts, err := f.client.Query().ListHosts(ctx, &monitoringv1.ListHostsRequest{})
	if err != nil {
		return nil, false
	}
	ok = true
	for some := range slices.Chunk(hosts.GetHosts(), fillHosts) {
		var names []string
		for _, h := range some {
			names = append(names, h.GetHostname())
		}
		one := matchOf(metric.HostLabel, names, nil)
		if samples, err = f.query(ctx, append(slices.Clone(matchers), one), w); err != nil {
			ok = false
			continue
		}
		parts = append(parts, samples)
	}
	return parts, ok
}

// query reads the samples of one range selector, those of a series in order.
func (f *follower) query(ctx context.Context, matchers []string, w window) ([]metric.Sample, error) {
	res, err := f.client.Query().QueryPromQL(ctx, &monitoringv1.QueryPromQLRequest{
		Query: fmt.Sprintf("{%s}[%dms]", strings.Join(matchers, ","), w.upTo.Sub(w.after).Milliseconds()+1),
		Time:  timestamppb.New(w.upTo),
	})
	if err != nil {
		return nil, err
	}
	var out []metric.Sample
	for _, s := range res.GetSeries() {
		labels := maps.Clone(s.GetLabels())
		metricType, host := labels[metric.TypeLabel], labels[metric.HostLabel]
		delete(labels, metric.TypeLabel)
		delete(labels, metric.HostLabel)
		series := newSeries(metricType, host, labels)
		for i, at := range s.GetTimes() {
			if v := s.GetValues()[i]; !math.IsNaN(v) {
				out = append(out, metric.Sample{Series: series, Time: int64(math.Round(at * 1000)), Value: v})
			}
		}
	}
	return out, nil
}

// selectorMatchers says in PromQL what selectors choose: the matchers of each.
func selectorMatchers(selectors []*monitoringv1.Selector) [][]string {
	if len(selectors) == 0 {
		selectors = []*monitoringv1.Selector{{}}
	}
	var out [][]string
	for _, s := range selectors {
		out = append(out, []string{
			matchOf(metric.TypeLabel, s.GetMetricTypes(), s.GetMetricTypePrefixes()),
			matchOf(metric.HostLabel, s.GetHostnames(), s.GetHostnamePrefixes()),
		})
	}
	return out
}

// matchOf matches a label that is one of the names or begins with one of the
// prefixes; without any, one that is not empty.
func matchOf(label string, names, prefixes []string) string {
	var either []string
	for _, name := range names {
		either = append(either, regexp.QuoteMeta(name))
	}
	for _, prefix := range prefixes {
		either = append(either, regexp.QuoteMeta(prefix)+".*")
	}
	if len(either) == 0 {
		either = []string{".+"}
	}
	return label + "=~" + strconv.Quote(strings.Join(either, "|"))
}
