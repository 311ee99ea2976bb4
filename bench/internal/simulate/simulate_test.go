package simulate_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/simulate"
	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

const begin = int64(1_800_000_000_000)

// history is the values of a host over n seconds, by series.
func history(h *simulate.Host, n int64) map[string][]float64 {
	out := map[string][]float64{}
	for i := range n {
		ids, values := h.Next(begin+1000*i, nil, nil)
		for j, id := range ids {
			key := h.Series[id].String()
			out[key] = append(out[key], values[j])
		}
	}
	return out
}

// One seed and one host give the same values each time; another seed or host
// gives others.
func TestValuesDependOnTheSeed(t *testing.T) {
	cpu := func(seed uint64, host int) []float64 {
		h := simulate.NewHost(seed, host, 60)
		return history(h, 100)[h.Series[0].String()]
	}
	equal := func(a, b []float64) bool {
		for i := range a {
			if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
				return false
			}
		}
		return len(a) == len(b)
	}
	if len(cpu(1, 1)) != 100 || !equal(cpu(1, 1), cpu(1, 1)) {
		t.Error("one seed gave different values")
	}
	if equal(cpu(1, 1), cpu(2, 1)) || equal(cpu(1, 1), cpu(1, 2)) {
		t.Error("different seeds or hosts gave equal values")
	}
}

// A host has exactly the series asked for, all valid, the classic ones first, and
// values within their units' bounds.
func TestSeriesAreLifelike(t *testing.T) {
	for _, n := range []int{1, 3, 30, 250, 2000} {
		h := simulate.NewHost(1, 0, n)
		seen := map[string]bool{}
		for _, s := range h.Series {
			if err := s.Check(); err != nil || seen[s.Key()] {
				t.Errorf("%d series: %s is invalid (%v) or there twice", n, s, err)
			}
			seen[s.Key()] = true
		}
		if len(h.Series) != n || h.Series[0].Type != metric.CPU {
			t.Errorf("%d series were asked for: there are %d, the first is %s", n, len(h.Series), h.Series[0])
		}
	}
	h := simulate.NewHost(1, 0, 250)
	got := history(h, 600)
	for _, s := range h.Series {
		values := got[s.String()]
		if len(values) == 0 {
			t.Errorf("%s has no value in ten minutes", s)
		}
		typ, builtIn := metric.Lookup(s.Type)
		for i, v := range values {
			if math.IsNaN(v) || v < 0 || typ.Unit == metric.Percent && v > 100 {
				t.Fatalf("%s has the value %v", s, v)
			}
			if !builtIn && s.Type == "http_requests_total" && i > 0 && v < values[i-1] {
				t.Fatalf("the counter %s fell from %v to %v", s, values[i-1], v)
			}
		}
	}
}

// What is used of a file system or of the memory is no more than there is, and
// the series of one file system agree.
func TestUsedFitsIntoTotal(t *testing.T) {
	for i := range 20 {
		h := simulate.NewHost(1, i, 60)
		got := map[string][]float64{}
		all := history(h, 60)
		for _, s := range h.Series {
			if mount := s.Labels.Get("mount"); mount == "" || mount == "/" {
				got[s.Type] = all[s.String()]
			}
		}
		for at, total := range got["disk_space_total"] {
			used, free := got["disk_space_used"][at], got["disk_space_free"][at]
			if used != got["disk"][at] || used+free > total || got["memory"][at] > got["memory_total"][at] {
				t.Fatalf("%s, second %d: disk %v, used %v and free %v of %v; memory %v of %v", h.Name, at,
					got["disk"][at], used, free, total, got["memory"][at], got["memory_total"][at])
			}
		}
		if len(got["disk_space_total"]) != 60 {
			t.Fatalf("%s has %d values of its disk's size in a minute", h.Name, len(got["disk_space_total"]))
		}
	}
}

// A real server takes all of it, and has it then.
func TestServerTakesAll(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	o := simulate.Options{Server: srv.URL, Hosts: 5, Series: 40, Seed: 7, Backfill: 10 * time.Minute, Duration: 2500 * time.Millisecond}
	start := time.Now()
	counts, err := simulate.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	most := 602 + time.Since(start).Seconds()
	sent := counts.Sent.Load()
	if least := uint64(5 * 600 * 35); sent < least || counts.Stored.Load() != sent || counts.Duplicates.Load() != 0 {
		t.Errorf("sent %d, stored %d, duplicates %d; want at least %d, all stored", sent, counts.Stored.Load(), counts.Duplicates.Load(), least)
	}
	c, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	res, err := c.Query().QueryPromQL(t.Context(), &monitoringv1.QueryPromQLRequest{Query: `count_over_time(cpu[15m])`})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(res.GetSeries()); n != 5 {
		t.Fatalf("cpu has %d series; want 5", n)
	}
	for _, s := range res.GetSeries() {
		if n := s.GetValues()[0]; n < 602 || n > most {
			t.Errorf("%v has %v samples; want 600 of history and one for each second since, %.0f at most", s.GetLabels(), n, most)
		}
	}
}

// The same again is a duplicate, so nothing depends on when it was sent.
func TestAgainIsDuplicate(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	o := simulate.Options{Server: srv.URL, Hosts: 1, Series: 10, Seed: 7, Backfill: time.Minute, Now: time.Now()}
	for _, again := range []bool{false, true} {
		counts, err := simulate.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if duplicates := counts.Duplicates.Load(); (duplicates == counts.Sent.Load()) != again {
			t.Errorf("again %v: %d of %d are duplicates", again, duplicates, counts.Sent.Load())
		}
	}
}

// What a server refuses fails the run with the reason.
func TestRefusalIsAnError(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{MaxSeriesPerHost: 5})
	_, err := simulate.Run(t.Context(), simulate.Options{Server: srv.URL, Hosts: 1, Series: 10, Backfill: time.Minute})
	if err == nil {
		t.Error("the server kept more series than it may, or the refusal was not noticed")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	f := func(o simulate.Options) {
		t.Helper()
		if _, err := simulate.Run(context.Background(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	f(simulate.Options{Server: "http://127.0.0.1:1", Series: 1})
	f(simulate.Options{Server: "http://127.0.0.1:1", Hosts: 1})
	f(simulate.Options{Server: "http://127.0.0.1:1", Hosts: 1, Series: 1, Backfill: -1})
	f(simulate.Options{Server: "not a url://", Hosts: 1, Series: 1, Backfill: time.Second})
}

// What is prepared is what would have been sent.
func TestPreparedIsTaken(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	c, err := client.New(srv.URL, client.WithGzip())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	p, err := simulate.NewHost(1, 0, 50).Prepare(time.Now().Add(-time.Minute).UnixMilli(), time.Second, 45, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Send(t.Context(), c.Ingest(), 2); err != nil {
		t.Error(err)
	}
	res, err := c.Query().QueryRange(t.Context(), &monitoringv1.QueryRangeRequest{Selector: `{hostname="sim-0000"}`})
	if err != nil {
		t.Fatal(err)
	}
	var stored uint64
	for _, s := range res.GetSeries() {
		for _, n := range s.GetCounts() {
			stored += n
		}
	}
	if stored != p.Samples || len(res.GetSeries()) != 50 {
		t.Errorf("%d samples of 50 series were sent; the server has %d of %d", p.Samples, stored, len(res.GetSeries()))
	}
}
