package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
)

const (
	// comeBack is how long it may take until a chart is whole after the server is
	// back; agents wait a random time before they return.
	comeBack = 100 * time.Second
	// gapAim is what the page still bridges with a line, where a sample comes each
	// second: a busy machine's agent may be late by one or two.
	gapAim = 3 * time.Second
	// tolerance is for averages that are added up in another order.
	tolerance = 1e-9
)

// outages kills the server and compares what the charts show thereafter with what
// the server has, of a simulated host and of a real agent's.
func (b *bench) outages(ctx context.Context) error {
	for _, host := range b.stricken {
		var whole []float64
		missing, wrong, compared, gap := 0, 0, 0, time.Duration(0)
		for range b.kills {
			o, err := b.outageOf(ctx, host)
			if err != nil {
				return err
			}
			whole = append(whole, o.whole.Seconds())
			missing, wrong, compared = missing+o.missing, wrong+o.wrong, compared+o.compared
			gap = max(gap, o.gap)
		}
		what := fmt.Sprintf("server killed for %s, %s's charts: ", b.outage, host)
		verdict := "met"
		if missing+wrong > 0 || gap > gapAim {
			verdict = "MISSED"
		}
		b.table.Add(what+"points missing or wrong", fmt.Sprintf("%d and %d of %d", missing, wrong, compared),
			fmt.Sprintf("longest time between two points %.0f s; aim 0, at most %.0f s: no hole", gap.Seconds(), gapAim.Seconds()), verdict)
		b.most(what+"whole after the server was back, s", whole, "%.0f", noAim)
	}
	return nil
}

// outage is what was seen of one.
type outage struct {
	whole                    time.Duration // from the server's return on
	missing, wrong, compared int           // points, in the end
	gap                      time.Duration // the longest between two points
}

// outageMetrics are the metrics whose charts are compared: one series each, drawn
// as it came.
var outageMetrics = []string{"cpu", "memory", "disk"}

func (b *bench) outageOf(ctx context.Context, host string) (o outage, err error) {
	tab, err := b.open(ctx, "/hosts/"+host)
	if err != nil {
		return o, err
	}
	defer func() { _ = tab.Close(ctx) }() // the browser is ended anyway
	killed := time.Now()
	b.site.server.Kill()
	if err := b.site.wait(ctx, b.outage); err != nil {
		return o, err
	}
	if err := b.site.serve(ctx); err != nil {
		return o, err
	}
	back := time.Now()
	for {
		if err := b.site.wait(ctx, 2*time.Second); err != nil {
			return o, err
		}
		settled := time.Since(back) > b.around
		o, err = b.compare(ctx, tab, host, killed.Add(-b.around), back.Add(min(b.around, time.Since(back)-3*time.Second)))
		if err != nil {
			return o, err
		}
		o.whole = time.Since(back)
		if (settled && o.missing+o.wrong == 0 && o.gap <= gapAim) || time.Since(back) > comeBack {
			return o, nil
		}
	}
}

// compare counts the points of the host's charts that are not as the server has
// them.
func (b *bench) compare(ctx context.Context, tab *chromium.Tab, host string, from, to time.Time) (o outage, err error) {
	shown, err := b.shown(ctx, tab)
	if err != nil {
		return o, err
	}
	for _, metric := range outageMetrics {
		have, err := b.site.seconds(ctx, metric, host, from, to)
		if err != nil {
			return o, err
		}
		chart := shown[metric]
		for at, value := range have {
			o.compared++
			if found, ok := chart[at]; !ok {
				o.missing++
			} else if math.Abs(found-value) > tolerance*math.Abs(value) {
				o.wrong++
			}
		}
		o.gap = max(o.gap, longestGap(have))
	}
	return o, nil
}

// longestGap is the longest time between two points.
func longestGap(have points) (gap time.Duration) {
	times := slices.Sorted(maps.Keys(have))
	for i := 1; i < len(times); i++ {
		gap = max(gap, time.Duration(times[i]-times[i-1])*time.Second)
	}
	return gap
}

// shown is what each chart of one metric has drawn: uPlot keeps that in its plots,
// which are found among the page's objects.
func (b *bench) shown(ctx context.Context, tab *chromium.Tab) (map[string]points, error) {
	var plots []struct {
		Metric string
		Times  []float64
		Values []*float64
	}
	err := tab.Objects(ctx, `(all) => all
		.filter((one) => { try { return one.root instanceof Element && Array.isArray(one.data) && one.root.isConnected } catch { return false } })
		.map(({ root, data }) => ({ root: root.closest("[data-metric]"), data }))
		.filter(({ root }) => root !== null)
		.map(({ root, data }) => ({ metric: root.dataset.metric, times: [...data[0]], values: [...data[1]].map((v) => v ?? null) }))`, &plots)
	if err != nil {
		return nil, err
	}
	all := map[string]points{}
	for _, p := range plots {
		var times, values []float64
		for i, at := range p.Times {
			if p.Values[i] != nil {
				times, values = append(times, at), append(values, *p.Values[i])
			}
		}
		all[p.Metric] = meansOf(times, values)
	}
	if len(all) == 0 {
		return nil, errors.New("the page has no chart of a metric")
	}
	return all, nil
}
