package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
)

//go:embed probe.js
var probe string

const (
	width, height = 1440, 900

	firstChartAim = 1000 // ms
	// loadBudget is what the page's build allows for its files by gzip; their
	// headers come on top.
	loadBudget = 100_000
	// loadPatience is how long the charts in sight may take at most.
	loadPatience = 20 * time.Second
	// loadRest is how long is waited for more once they are drawn.
	loadRest = time.Second
)

// places are the pages that are loaded.
func (b *bench) places() []struct{ name, path string } {
	return []struct{ name, path string }{{"fleet", "/"}, {"host", "/hosts/sim-0000"}}
}

// loads measures the first load of each page, with an empty cache.
func (b *bench) loads(ctx context.Context) error {
	for _, place := range b.places() {
		if err := b.load(ctx, fmt.Sprintf("%s page, %d hosts: ", place.name, b.site.fleet.Hosts), place.name, place.path); err != nil {
			return err
		}
	}
	return nil
}

// loaded is what one load took.
type loaded struct {
	Charts, Drawn int
	First, Last   float64 // ms since the navigation began
	Paint         float64
	LongTasks     []float64 // ms each

	files, fileBytes, calls, callBytes float64
}

func (b *bench) load(ctx context.Context, what, name, path string) error {
	var all []loaded
	for range b.rounds {
		l, err := b.loadOnce(ctx, name, b.site.url+path)
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	of := func(f func(loaded) float64) (values []float64) {
		for _, l := range all {
			values = append(values, f(l))
		}
		return values
	}
	b.most(what+"files of the first load", of(func(l loaded) float64 { return l.files }), "%.0f", noAim)
	b.most(what+"bytes of them, gzip and headers", of(func(l loaded) float64 { return l.fileBytes }), "%.0f", loadBudget)
	b.most(what+"calls till the charts in sight are drawn", of(func(l loaded) float64 { return l.calls }), "%.0f", noAim)
	b.most(what+"bytes of their answers", of(func(l loaded) float64 { return l.callBytes }), "%.0f", noAim)
	b.most(what+"first contentful paint, ms", of(func(l loaded) float64 { return l.Paint }), "%.0f", noAim)
	b.most(what+"first chart drawn, ms", of(func(l loaded) float64 { return l.First }), "%.0f", firstChartAim)
	b.most(fmt.Sprintf("%slast of %d charts in sight drawn, ms", what, all[0].Drawn), of(func(l loaded) float64 { return l.Last }), "%.0f", noAim)
	b.most(what+"long tasks in a load", of(func(l loaded) float64 { return float64(len(l.LongTasks)) }), "%.0f", noAim)
	b.most(what+"longest task, ms, 0 where none is above 50", of(func(l loaded) float64 { return slices.Max(append(l.LongTasks, 0)) }), "%.0f", noAim)
	return nil
}

func (b *bench) loadOnce(ctx context.Context, name, url string) (l loaded, err error) {
	tab, err := b.browser.Open(ctx, width, height, probe)
	if err != nil {
		return l, err
	}
	defer func() { _ = tab.Close(ctx) }() // the browser is ended anyway
	traffic := watchTraffic(tab)
	stop, err := b.profile(ctx, tab, "load-"+name)
	if err != nil {
		return l, err
	}
	if err := tab.Go(ctx, url); err != nil {
		return l, err
	}
	if l, err = waitDrawn(ctx, b.site, tab); err != nil {
		return l, fmt.Errorf("%s: %w", url, err)
	}
	if err := stop(); err != nil {
		return l, err
	}
	traffic.into(&l)
	return l, nil
}

// waitDrawn waits until no more charts in sight come to be drawn.
func waitDrawn(ctx context.Context, s *site, tab *chromium.Tab) (l loaded, err error) {
	for end := time.Now().Add(loadPatience); time.Now().Before(end); {
		drawn := l.Drawn
		if err := tab.Evaluate(ctx, "vitalsProbe.load()", &l); err != nil {
			return l, err
		}
		if drawn > 0 && drawn == l.Drawn {
			return l, nil
		}
		if err := s.wait(ctx, loadRest); err != nil {
			return l, err
		}
	}
	return l, fmt.Errorf("no chart is drawn within %s: %d of %d in sight", loadPatience, l.Drawn, l.Charts)
}

// traffic counts what a page fetches.
type traffic struct {
	mu                                 sync.Mutex
	isCall                             map[string]bool
	files, fileBytes, calls, callBytes float64
}

func watchTraffic(tab *chromium.Tab) *traffic {
	t := &traffic{isCall: map[string]bool{}}
	tab.On("Network.requestWillBeSent", func(params json.RawMessage) {
		var e struct {
			ID      string `json:"requestId"`
			Request struct {
				URL string `json:"url"`
			} `json:"request"`
		}
		if json.Unmarshal(params, &e) != nil || strings.HasPrefix(e.Request.URL, "data:") {
			return // nothing goes over the network
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		// Procedures have a package and a service in their path.
		t.isCall[e.ID] = strings.Contains(e.Request.URL, "Service/")
		if t.isCall[e.ID] {
			t.calls++
		} else {
			t.files++
		}
	})
	arrived := func(id string, bytes float64) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if isCall, known := t.isCall[id]; known && isCall {
			t.callBytes += bytes
		} else if known {
			t.fileBytes += bytes
		}
	}
	tab.On("Network.loadingFinished", func(params json.RawMessage) {
		var e struct {
			ID    string  `json:"requestId"`
			Bytes float64 `json:"encodedDataLength"`
		}
		if json.Unmarshal(params, &e) == nil {
			arrived(e.ID, e.Bytes)
		}
	})
	return t
}

func (t *traffic) into(l *loaded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.files, l.fileBytes, l.calls, l.callBytes = t.files, t.fileBytes, t.calls, t.callBytes
}
