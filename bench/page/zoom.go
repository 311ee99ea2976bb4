package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/chromium"
)

const zoomAim = 150 // ms

// zooms measures how long it takes from letting the mouse go, after a drag over a
// chart, until the last chart in sight is painted with new data.
func (b *bench) zooms(ctx context.Context) error {
	for _, last := range []string{"15m", "1h"} {
		if length, err := time.ParseDuration(last); err != nil || length > b.history {
			continue // there is nothing to see in a part of it
		}
		tab, err := b.open(ctx, "/hosts/sim-0000?last="+last)
		if err != nil {
			return err
		}
		err = b.zoomIn(ctx, tab, last)
		if closed := tab.Close(ctx); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) zoomIn(ctx context.Context, tab *chromium.Tab, last string) error {
	stop, err := b.profile(ctx, tab, "zoom-"+last)
	if err != nil {
		return err
	}
	var took, answers []float64
	questions, charts := 0, 0
	for i := range b.rounds {
		if i > 0 {
			if err := b.zoomOut(ctx, tab); err != nil {
				return err
			}
		}
		z, err := zoomOnce(ctx, tab, i)
		if err != nil {
			return err
		}
		took, answers = append(took, z.Took), append(answers, z.Answer)
		questions, charts = max(questions, z.Questions), max(charts, z.Charts)
	}
	if err := stop(); err != nil {
		return err
	}
	what := fmt.Sprintf("zoom by a drag within the last %s: ", last)
	b.most(fmt.Sprintf("%s%d charts redrawn, ms", what, charts), took, "%.0f", zoomAim)
	b.most(fmt.Sprintf("%slast of %d answers, ms", what, questions), answers, "%.0f", noAim)
	return nil
}

// zoomOut goes back to where the drag began and waits for the charts to rest.
func (b *bench) zoomOut(ctx context.Context, tab *chromium.Tab) error {
	if err := tab.Evaluate(ctx, "vitalsProbe.rest(); history.back()", nil); err != nil {
		return err
	}
	return b.site.wait(ctx, time.Second)
}

// zoomed is what one zoom took, in milliseconds since the mouse was let go.
type zoomed struct {
	Took, Answer      float64
	Questions, Charts int
}

// zoomOnce drags over the first chart, each time elsewhere.
func zoomOnce(ctx context.Context, tab *chromium.Tab, i int) (z zoomed, err error) {
	var box struct{ X, Y, Width, Height float64 }
	if err := tab.Evaluate(ctx, `vitalsProbe.zoom(), document.querySelector("main .u-over").getBoundingClientRect().toJSON()`, &box); err != nil {
		return z, err
	}
	from := 0.1 + 0.05*float64(i%8)
	if err := tab.Drag(ctx, box.X+from*box.Width, box.X+(from+0.4)*box.Width, box.Y+box.Height/2); err != nil {
		return z, err
	}
	if err := tab.Evaluate(ctx, "vitalsProbe.zoomed()", &z); err != nil {
		return z, err
	}
	if z.Charts == 0 {
		return z, errors.New("no chart was drawn anew after the drag")
	}
	return z, nil
}
