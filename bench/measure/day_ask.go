package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// historians starts Vitals and its peers with the day. All are asked in the same
// way, by HTTP/1.1 with answers in gzip.
func (b *bench) historians(ctx context.Context, d *day, dir string) (all []*historian, err error) {
	own := filepath.Join(dir, "vitals")
	if err := d.store(ctx, own); err != nil {
		return nil, err
	}
	vitals, err := b.serve(ctx, 1, own)
	if err != nil {
		return nil, err
	}
	all = append(all, &historian{name: "Vitals", server: vitals, ask: func(ctx context.Context, host int) (time.Duration, error) {
		return d.askVitals(ctx, vitals, host)
	}})
	for _, p := range b.receivers(ctx) {
		own := filepath.Join(dir, p.name)
		if err := os.Mkdir(own, 0o700); err != nil {
			return all, err
		}
		r, err := p.start(ctx, 1, own)
		if err != nil {
			return all, err
		}
		all = append(all, &historian{name: p.name, server: r, ask: func(ctx context.Context, host int) (time.Duration, error) {
			return d.askPrometheus(ctx, r, host)
		}})
		if err := d.send(ctx, r.url+remoteWritePath); err != nil {
			return all, err
		}
	}
	return all, nil
}

// selector chooses a host's series, or all.
func (d *day) selector(host int) string {
	if host < 0 {
		return `cpu{hostname=~"sim-.*"}`
	}
	return fmt.Sprintf("cpu{hostname=%q}", d.series[host].Host)
}

// hosts is how many series an answer must have.
func (d *day) hosts(host int) int {
	if host < 0 {
		return len(d.series)
	}
	return 1
}

// number is the number of a host by its name.
func (d *day) number(name string) (int, error) {
	for i, s := range d.series {
		if s.Host == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the answer has a host %q, which was not sent", name)
}

// askVitals asks by Connect. The averages, least and greatest values of the points
// must come to those of the day.
func (d *day) askVitals(ctx context.Context, r *running, host int) (time.Duration, error) {
	body, err := proto.Marshal(&monitoringv1.QueryRangeRequest{
		Selector: d.selector(host), Start: timestamppb.New(d.start), End: timestamppb.New(d.last()), MaxPoints: dayPoints,
	})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/monitoring.v1.QueryService/QueryRange", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/proto")
	req.Header.Set("Authorization", "Bearer "+r.viewer)
	answer, took, err := timed(req)
	if err != nil {
		return 0, err
	}
	var res monitoringv1.QueryRangeResponse
	if err := proto.Unmarshal(answer, &res); err != nil {
		return 0, err
	}
	if len(res.GetSeries()) != d.hosts(host) {
		return 0, fmt.Errorf("%d series came", len(res.GetSeries()))
	}
	for _, s := range res.GetSeries() {
		n, err := d.number(s.GetSeries().GetHostname())
		if err != nil {
			return 0, err
		}
		if text := d.summary(n).differs(summaryOf(s)); text != "" {
			return 0, errors.New(text)
		}
	}
	return took, nil
}

func summaryOf(s *monitoringv1.RangeSeries) summary {
	got := summary{least: s.GetMinima()[0], greatest: s.GetMaxima()[0]}
	for i, n := range s.GetCounts() {
		got.least, got.greatest = min(got.least, s.GetMinima()[i]), max(got.greatest, s.GetMaxima()[i])
		got.count += float64(n)
		got.mean += s.GetAverages()[i] * float64(n)
	}
	got.mean /= got.count
	return got
}

// askPrometheus asks a server that has Prometheus' API. Each point must be the
// sample of its second. VictoriaMetrics is told not to answer from the answers that
// it keeps, for it would be asked for a part only.
func (d *day) askPrometheus(ctx context.Context, r *running, host int) (time.Duration, error) {
	q := url.Values{
		"query": {d.selector(host)}, "step": {strconv.Itoa(int(dayStep / time.Second))}, "nocache": {"1"},
		"start": {strconv.FormatInt(d.start.Unix(), 10)}, "end": {strconv.FormatInt(d.start.Add((dayPoints-1)*dayStep).Unix(), 10)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/v1/query_range?"+q.Encode(), nil)
	if err != nil {
		return 0, err
	}
	answer, took, err := timed(req)
	if err != nil {
		return 0, err
	}
	var res struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(answer, &res); err != nil {
		return 0, err
	}
	if len(res.Data.Result) != d.hosts(host) {
		return 0, fmt.Errorf("%d series came: %.200s", len(res.Data.Result), answer)
	}
	for _, s := range res.Data.Result {
		n, err := d.number(s.Metric[metric.HostLabel])
		if err != nil {
			return 0, err
		}
		if err := d.checkPoints(n, s.Values); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func (d *day) checkPoints(host int, points [][2]any) error {
	if len(points) != dayPoints {
		return fmt.Errorf("%d points came, want %d", len(points), dayPoints)
	}
	for i, p := range points {
		want := d.values[host][i*int(dayStep/time.Second)]
		if text, _ := p[1].(string); text != strconv.FormatFloat(want, 'f', -1, 64) {
			return fmt.Errorf("point %d is %v, want %g", i, p, want)
		}
	}
	return nil
}

// timed returns an answer and how long it took to its end.
func timed(req *http.Request) (body []byte, took time.Duration, err error) {
	start := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	body, err = io.ReadAll(res.Body)
	took = time.Since(start)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return body, took, err
}
