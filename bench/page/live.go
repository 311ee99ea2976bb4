package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
	"github.com/vitals-rpc/vitals/bench/internal/result"
)

const (
	shareAim = 20 // percent of a core
	// heapAim is by how much the heap may grow while the page is open and still be
	// called flat: what a window of five minutes holds is there from the start.
	heapAim = 1.0 // MB
	// heapLooks are how often the heap is looked at for one figure, heapRest the
	// time between two.
	heapLooks, heapRest = 5, 300 * time.Millisecond
	// liveRounds is in how many parts an open page is watched.
	liveRounds = 3
)

// lives measures what each page costs while it is open and live.
func (b *bench) lives(ctx context.Context) error {
	for _, place := range b.places() {
		what := fmt.Sprintf("%s page, %d hosts, %s live: ", place.name, b.site.fleet.Hosts, b.live)
		if err := b.liveOf(ctx, what, place.name, place.path); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) liveOf(ctx context.Context, what, name, path string) error {
	tab, err := b.open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = tab.Close(ctx) }() // the browser is ended anyway
	if err := b.site.wait(ctx, b.settle); err != nil {
		return err
	}
	heap := [3]float64{} // at the start and in the end after garbage was collected, in the end before
	if heap[0], err = b.kept(ctx, tab); err != nil {
		return err
	}
	var longTasks []float64
	if err := tab.Evaluate(ctx, "void (vitalsProbe.longTasks.length = 0)", nil); err != nil {
		return err
	}
	stop, err := b.profile(ctx, tab, "live-"+name)
	if err != nil {
		return err
	}
	began := time.Now()
	used, err := b.browser.CPU(ctx)
	if err != nil {
		return err
	}
	tasks, scripts, layouts, err := b.shares(ctx, tab)
	if err != nil {
		return err
	}
	after, err := b.browser.CPU(ctx)
	if err != nil {
		return err
	}
	whole := (after - used).Seconds() / time.Since(began).Seconds() * 100
	if err := stop(); err != nil {
		return err
	}
	if heap[2], err = tab.Heap(ctx, false); err != nil {
		return err
	}
	if heap[1], err = b.kept(ctx, tab); err != nil {
		return err
	}
	if err := tab.Evaluate(ctx, "vitalsProbe.longTasks.map(([, duration]) => duration)", &longTasks); err != nil {
		return err
	}
	b.most(what+"main thread, % of a core", tasks, "%.1f", shareAim)
	b.most(what+"of it scripts, %", scripts, "%.1f", noAim)
	b.most(what+"of it style and layout, %", layouts, "%.1f", noAim)
	b.table.Add(what+"all of the browser's processes, % of a core", fmt.Sprintf("%.1f", whole), "it draws in software here", "")
	b.table.Add(what+"long tasks, longest ms", fmt.Sprintf("%d, %.0f", len(longTasks), slices.Max(append(longTasks, 0))), "", "")
	grown := (heap[1] - heap[0]) / 1e6
	b.table.Add(what+"heap MB, start and end after GC, end before",
		fmt.Sprintf("%.2f, %.2f, %.2f", heap[0]/1e6, heap[1]/1e6, heap[2]/1e6),
		fmt.Sprintf("aim flat: grown by %+.2f, at most %.1f", grown, heapAim), result.AtMost(grown, heapAim))
	return nil
}

// kept is what the heap holds for good: the least of some looks after garbage was
// collected. What is being worked on just then, such as an answer, is not garbage,
// and is gone a moment later.
func (b *bench) kept(ctx context.Context, tab *chromium.Tab) (float64, error) {
	least := math.Inf(1)
	for range heapLooks {
		heap, err := tab.Heap(ctx, true)
		if err != nil {
			return 0, err
		}
		least = min(least, heap)
		if err := b.site.wait(ctx, heapRest); err != nil {
			return 0, err
		}
	}
	return least, nil
}

// shares are what the main thread took of a core in each part of the time, in
// percent: everything, scripts, and style with layout.
func (b *bench) shares(ctx context.Context, tab *chromium.Tab) (tasks, scripts, layouts []float64, err error) {
	before, err := tab.Metrics(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	at := time.Now()
	for range liveRounds {
		if err := b.site.wait(ctx, b.live/liveRounds); err != nil {
			return nil, nil, nil, err
		}
		after, err := tab.Metrics(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		took := time.Since(at).Seconds()
		at = time.Now()
		share := func(names ...string) (sum float64) {
			for _, name := range names {
				sum += (after[name] - before[name]) / took * 100
			}
			return sum
		}
		tasks = append(tasks, share("TaskDuration"))
		scripts = append(scripts, share("ScriptDuration"))
		layouts = append(layouts, share("LayoutDuration", "RecalcStyleDuration"))
		before = after
	}
	return tasks, scripts, layouts, nil
}

// open opens a page, waits until its charts are drawn and leaves it to itself.
func (b *bench) open(ctx context.Context, path string) (*chromium.Tab, error) {
	tab, err := b.browser.Open(ctx, width, height, probe)
	if err != nil {
		return nil, err
	}
	if err = tab.Go(ctx, b.site.url+path); err == nil {
		if _, err = waitDrawn(ctx, b.site, tab); err == nil {
			err = tab.Evaluate(ctx, "vitalsProbe.rest()", nil)
		}
	}
	if err != nil {
		_ = tab.Close(ctx) // the browser is ended anyway
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tab, nil
}

// profile profiles a page's scripts until stop, if profiles are asked for.
func (b *bench) profile(ctx context.Context, tab *chromium.Tab, name string) (stop func() error, err error) {
	if b.profiles == "" {
		return func() error { return nil }, nil
	}
	end, err := tab.Profile(ctx)
	if err != nil {
		return nil, err
	}
	return func() error {
		text, err := end()
		if err != nil {
			return err
		}
		path := filepath.Join(b.profiles, fmt.Sprintf("%s-%d.cpuprofile", name, b.site.fleet.Hosts))
		return os.WriteFile(path, text, 0o644) //nolint:gosec // no secrets
	}, nil
}
