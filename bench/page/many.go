package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
	"github.com/vitals-rpc/vitals/bench/internal/result"
)

const (
	framesAim = 59.5 // a second: sixty, less what a round's ends cut off
	// wheelEvery and wheelBy are how fast the wheel turns: six thousand pixels a
	// second, ninety rows.
	wheelEvery = 16 * time.Millisecond
	wheelBy    = 96
	// stepFrames is in how many frames a round of steps scrolls by wheelBy each.
	stepFrames = 100
)

// thousand measures the fleet page of a large fleet.
func (b *bench) thousand(ctx context.Context) error {
	hosts := b.site.fleet.Hosts
	if err := b.load(ctx, fmt.Sprintf("fleet page, %d hosts: ", hosts), "fleet", "/"); err != nil {
		return err
	}
	if err := b.liveOf(ctx, fmt.Sprintf("fleet page, %d hosts, %s live: ", hosts, b.live), "fleet", "/"); err != nil {
		return err
	}
	if err := b.site.yield(); err != nil {
		return err
	}
	for _, view := range []struct{ name, path string }{{"table", "/"}, {"grid", "/?view=grid"}} {
		if err := b.scrolls(ctx, view.name, view.path); err != nil {
			return err
		}
	}
	return nil
}

// scrolled is what one round of scrolling saw.
type scrolled struct {
	Times     []float64 // when frames began, ms
	Rows      int       // the most that there were
	Top       float64
	LongTasks int

	script, task float64 // ms of processor time
}

func (b *bench) scrolls(ctx context.Context, name, path string) error {
	tab, err := b.open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = tab.Close(ctx) }() // the browser is ended anyway
	still, err := b.plainFrames(ctx)
	if err != nil {
		return err
	}
	stop, err := b.profile(ctx, tab, "scroll-"+name)
	if err != nil {
		return err
	}
	var perSecond, slowest, scripts, tasks, steps []float64
	rows, longTasks, farthest := 0, 0, 0.0
	b.site.fleet.Counts.Late.Store(0)
	began, sent := time.Now(), b.site.fleet.Counts.Sent.Load()
	for i := range b.rounds {
		s, err := b.scrollOnce(ctx, tab, i%2 == 1)
		if err != nil {
			return err
		}
		frames := float64(len(s.Times))
		perSecond, slowest = append(perSecond, s.perSecond()), append(slowest, s.slowest())
		scripts, tasks = append(scripts, s.script/frames), append(tasks, s.task/frames)
		rows, longTasks, farthest = max(rows, s.Rows), longTasks+s.LongTasks, max(farthest, s.Top)
		phase := ""
		if err := tab.Evaluate(ctx, "document.documentElement.dataset.phase", &phase); err != nil {
			return err
		}
		if phase != "live" {
			return fmt.Errorf("the page is %s after a round of scrolling, not live", phase)
		}
	}
	if err := stop(); err != nil {
		return err
	}
	reported := float64(b.site.fleet.Counts.Sent.Load()-sent) / time.Since(began).Seconds()
	late := b.site.fleet.Counts.Late.Load()
	for i := range b.rounds {
		task, err := b.stepOnce(ctx, tab, i%2 == 1)
		if err != nil {
			return err
		}
		steps = append(steps, task)
	}
	if farthest < height {
		return fmt.Errorf("the wheel has moved the page by %.0f pixels only", farthest)
	}
	what := fmt.Sprintf("fleet page, %d hosts, scrolling the %s: ", b.site.fleet.Hosts, name)
	median := result.Median(perSecond)
	b.table.Add(what+"frames/s", spread(perSecond, "%.1f"), fmt.Sprintf("as many rows of bare text %s; aim at least 60", spread(still, "%.1f")),
		result.AtLeast(median, framesAim))
	b.most(what+"95th percentile of a frame, ms", slowest, "%.1f", noAim)
	b.most(what+"scripts a frame, ms", scripts, "%.2f", noAim)
	b.most(what+"main thread a frame, ms", tasks, "%.2f", 1000.0/60)
	b.most(what+fmt.Sprintf("main thread a frame of %d pixels, ms", wheelBy), steps, "%.2f", 1000.0/60)
	b.table.Add(what+"samples/s of the fleet meanwhile, ms late at most", fmt.Sprintf("%.0f, %d", reported, late), "it and the server yield to the browser", "")
	b.table.Add(what+"most rows there were, long tasks", fmt.Sprintf("%d, %d", rows, longTasks), "", "")
	return nil
}

// scrollOnce turns the wheel all the time, down or up.
func (b *bench) scrollOnce(ctx context.Context, tab *chromium.Tab, up bool) (s scrolled, err error) {
	before, err := tab.Metrics(ctx)
	if err != nil {
		return s, err
	}
	turning, stop := context.WithCancel(ctx)
	defer stop()
	go turn(turning, tab, up)
	if err := tab.Evaluate(ctx, fmt.Sprintf("vitalsProbe.frames(%d)", b.scroll.Milliseconds()), &s); err != nil {
		return s, err
	}
	stop()
	after, err := tab.Metrics(ctx)
	if err != nil {
		return s, err
	}
	s.script = (after["ScriptDuration"] - before["ScriptDuration"]) * 1000
	s.task = (after["TaskDuration"] - before["TaskDuration"]) * 1000
	return s, b.site.wait(ctx, 500*time.Millisecond)
}

// stepOnce scrolls by the same in each frame, however long one takes, and returns
// the main thread's processor time for one, in ms: on a busy machine frames are
// fewer, and each has more to do when the wheel goes on turning meanwhile.
func (b *bench) stepOnce(ctx context.Context, tab *chromium.Tab, up bool) (float64, error) {
	before, err := tab.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	by := wheelBy
	if up {
		by = -by
	}
	if err := tab.Evaluate(ctx, fmt.Sprintf("vitalsProbe.steps(%d, %d)", by, stepFrames), nil); err != nil {
		return 0, err
	}
	after, err := tab.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	return (after["TaskDuration"] - before["TaskDuration"]) * 1000 / stepFrames, b.site.wait(ctx, 500*time.Millisecond)
}

func turn(ctx context.Context, tab *chromium.Tab, up bool) {
	by := float64(wheelBy)
	if up {
		by = -by
	}
	ticker := time.NewTicker(wheelEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		<-ticker.C
		if tab.Wheel(width/2, height/2, by) != nil {
			return // the browser has ended, which its other callers say
		}
	}
}

// perSecond is how many frames there were in a second.
func (s *scrolled) perSecond() float64 {
	if len(s.Times) < 2 {
		return 0
	}
	return float64(len(s.Times)-1) / (s.Times[len(s.Times)-1] - s.Times[0]) * 1000
}

// slowest is the time between frames that only one in twenty exceeds.
func (s *scrolled) slowest() float64 {
	var lengths []float64
	for i := 1; i < len(s.Times); i++ {
		lengths = append(lengths, s.Times[i]-s.Times[i-1])
	}
	slices.Sort(lengths)
	return result.Percentile(lengths, 95)
}

// plainFrames is what this browser on this machine scrolls at best: rows of text,
// all there from the start, without a script.
func (b *bench) plainFrames(ctx context.Context) (perSecond []float64, err error) {
	tab, err := b.browser.Open(ctx, width, height, probe)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tab.Close(ctx) }() // the browser is ended anyway
	if err := tab.Go(ctx, "about:blank"); err != nil {
		return nil, err
	}
	rows := fmt.Sprintf(`vitalsProbe.rest(); document.body.innerHTML = "<main><ul>" +
		Array.from({length: %d}, (_, i) => "<li style='height:66px'>host " + i + "</li>").join("") + "</ul></main>"`, b.site.fleet.Hosts)
	if err := tab.Evaluate(ctx, rows, nil); err != nil {
		return nil, err
	}
	for i := range b.rounds {
		s, err := b.scrollOnce(ctx, tab, i%2 == 1)
		if err != nil {
			return nil, err
		}
		perSecond = append(perSecond, s.perSecond())
	}
	return perSecond, nil
}
