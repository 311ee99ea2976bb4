package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/client"
)

// vitalsLoad is what agents send: each host over a connection of its own, in
// gzip.
func vitalsLoad(hosts []*simulate.Host, s shape, from time.Time, rounds int) (l load, err error) {
	var all []*simulate.Prepared
	for _, h := range hosts {
		p, err := h.Prepare(from.UnixMilli(), s.step, rounds, s.perMessage)
		if err != nil {
			return l, err
		}
		all = append(all, p)
		l.samples += p.Samples
	}
	l.send = func(ctx context.Context, to *running) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, p := range all {
			group.Go(func() error {
				c, err := client.New(to.url, client.WithGzip(), as(to.operator))
				if err != nil {
					return err
				}
				defer c.Close()
				return p.Send(ctx, c.Ingest(), s.perStream)
			})
		}
		return group.Wait()
	}
	return l, nil
}

// peerLoad is the same samples as remote writes. The hosts are shared out among
// workers, so that each series' samples arrive in order.
func peerLoad(path string) func([]*simulate.Host, shape, time.Time, int) (load, error) {
	return func(hosts []*simulate.Host, s shape, from time.Time, rounds int) (l load, err error) {
		var bodies [peerWorkers][][]byte
		for w := range peerWorkers {
			var mine []*simulate.Host
			for i := w; i < len(hosts); i += peerWorkers {
				mine = append(mine, hosts[i])
			}
			var n uint64
			if bodies[w], n, err = remoteWrites(mine, s, from, rounds); err != nil {
				return l, err
			}
			l.samples += n
		}
		l.send = func(ctx context.Context, to *running) error {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: peerWorkers}}
			defer c.CloseIdleConnections()
			group, ctx := errgroup.WithContext(ctx)
			for _, mine := range bodies {
				group.Go(func() error {
					for _, body := range mine {
						if err := peer.Write(ctx, c, to.url+path, body); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		}
		return l, nil
	}
}

// remoteWrites encodes the hosts' rounds as remote writes, as a Prometheus or a
// vmagent does: live one sample a series, and as many rounds together as the shape
// says.
func remoteWrites(hosts []*simulate.Host, s shape, from time.Time, rounds int) (bodies [][]byte, n uint64, err error) {
	labels := map[*simulate.Host][][]prompb.Label{}
	for _, h := range hosts {
		for _, series := range h.Series {
			labels[h] = append(labels[h], peer.Labels(series))
		}
	}
	var batch []prompb.TimeSeries
	samples := 0
	flush := func() error {
		body, err := peer.Encode(batch)
		n += uint64(samples) //nolint:gosec // a count
		bodies, batch, samples = append(bodies, body), batch[:0], 0
		return err
	}
	for r := 0; r < rounds; r += s.perMessage {
		for _, h := range hosts {
			series := make([]prompb.TimeSeries, len(h.Series))
			for i := range min(s.perMessage, rounds-r) {
				at := from.Add(time.Duration(r+i) * s.step).UnixMilli()
				ids, values := h.Next(at, nil, nil)
				for i, id := range ids {
					series[id].Samples = append(series[id].Samples, prompb.Sample{Timestamp: at, Value: values[i]})
				}
			}
			for id, one := range series {
				if len(one.Samples) == 0 {
					continue
				}
				one.Labels = labels[h][id]
				batch, samples = append(batch, one), samples+len(one.Samples)
				if samples >= peerBatch {
					if err := flush(); err != nil {
						return nil, 0, err
					}
				}
			}
		}
	}
	if len(batch) > 0 {
		err = flush()
	}
	return bodies, n, err
}
