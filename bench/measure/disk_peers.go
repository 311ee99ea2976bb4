package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/prometheus/prometheus/prompb"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/recording"
	"github.com/vitals-rpc/vitals/metric"
)

// receiverSize is what a peer takes for the samples, packed as it packs what it
// keeps.
func (b *bench) receiverSize(ctx context.Context, which target, r *recording.Recording) (size, error) {
	dir, remove, err := b.folder()
	if err != nil {
		return size{}, err
	}
	defer remove()
	p, err := which.start(ctx, 0, dir)
	if err != nil {
		return size{}, err
	}
	defer p.Stop()
	if err := sendRecording(ctx, p.url+remoteWritePath, r); err != nil {
		return size{}, err
	}
	got, err := storedSamples(ctx, p, r)
	if err != nil {
		return size{}, err
	}
	if got != r.Samples() {
		return size{}, fmt.Errorf("%d of %d samples were stored", got, r.Samples())
	}
	if which.name == victoriaName {
		return victoriaSize(ctx, p, dir)
	}
	return prometheusSize(ctx, p, dir)
}

// recordingBatch is how many rounds of a recording are sent together.
const recordingBatch = 60

// sendRecording sends the samples in the order of their times, as they came.
func sendRecording(ctx context.Context, to string, r *recording.Recording) error {
	batch, rounds := map[*metric.Series]*prompb.TimeSeries{}, 0
	flush := func() error {
		var all []prompb.TimeSeries
		for _, one := range batch {
			all = append(all, *one)
		}
		batch, rounds = map[*metric.Series]*prompb.TimeSeries{}, 0
		body, err := peer.Encode(all)
		if err != nil {
			return err
		}
		return peer.Write(ctx, http.DefaultClient, to, body)
	}
	err := r.Rounds(func(round []metric.Sample) error {
		for _, s := range round {
			one := batch[s.Series]
			if one == nil {
				one = &prompb.TimeSeries{Labels: peer.Labels(s.Series)}
				batch[s.Series] = one
			}
			one.Samples = append(one.Samples, prompb.Sample{Timestamp: s.Time, Value: s.Value})
		}
		if rounds++; rounds == recordingBatch {
			return flush()
		}
		return nil
	})
	return errors.Join(err, flush())
}

// storedSamples is how many samples of the recording a server has.
func storedSamples(ctx context.Context, p *running, r *recording.Recording) (int, error) {
	if err := quiet(ctx, p.Process); err != nil { // VictoriaMetrics shows samples a second after it has taken them
		return 0, err
	}
	first, last := r.Bounds()
	q := url.Values{
		"query": {fmt.Sprintf(`{__name__!=""}[%ds]`, (last-first)/1000+60)},
		"time":  {strconv.FormatInt(last/1000+1, 10)}, "nocache": {"1"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?"+q.Encode(), nil)
	if err != nil {
		return 0, err
	}
	answer, _, err := timed(req)
	if err != nil {
		return 0, err
	}
	var res struct {
		Data struct {
			Result []struct{ Values []json.RawMessage }
		}
	}
	err = json.Unmarshal(answer, &res)
	n := 0
	for _, s := range res.Data.Result {
		n += len(s.Values)
	}
	return n, err
}

// victoriaSize is that of VictoriaMetrics' data and index, merged.
func victoriaSize(ctx context.Context, p *running, dir string) (got size, err error) {
	for _, call := range []string{"/internal/force_flush", "/internal/force_merge"} {
		if err := p.Ready(ctx, p.url+call); err != nil {
			return got, err
		}
		if err := quiet(ctx, p.Process); err != nil {
			return got, err
		}
	}
	got.index = folderSize(filepath.Join(dir, "indexdb"))
	got.all = folderSize(filepath.Join(dir, "data")) + got.index
	return got, nil
}

// prometheusSize is that of the block which Prometheus makes of all it has for a
// snapshot: what is in memory still is not packed otherwise before hours have passed.
func prometheusSize(ctx context.Context, p *running, dir string) (got size, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/admin/tsdb/snapshot", http.NoBody)
	if err != nil {
		return got, err
	}
	if _, _, err := timed(req); err != nil {
		return got, err
	}
	snapshots := filepath.Join(dir, "data", "snapshots")
	indexes, err := filepath.Glob(filepath.Join(snapshots, "*", "*", "index"))
	if err == nil && len(indexes) == 0 {
		err = fmt.Errorf("the snapshot in %s has no block", snapshots)
	}
	if err != nil {
		return got, err
	}
	for _, path := range indexes {
		got.index += folderSize(path)
	}
	got.all = folderSize(snapshots)
	return got, nil
}
