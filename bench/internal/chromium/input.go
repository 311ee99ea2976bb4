package chromium

import (
	"context"
	"maps"
)

// mouse sends a mouse event and waits until the page has taken it.
func (t *Tab) mouse(ctx context.Context, kind string, x, y float64, more args) error {
	params := args{"type": kind, "x": x, "y": y}
	maps.Copy(params, more)
	return t.Call(ctx, "Input.dispatchMouseEvent", params, nil)
}

// Drag presses the mouse's button at one place, moves in some steps and lets it go
// at another.
func (t *Tab) Drag(ctx context.Context, fromX, toX, y float64) error {
	const steps = 8
	press := args{"button": "left", "buttons": 1, "clickCount": 1}
	if err := t.mouse(ctx, "mouseMoved", fromX, y, nil); err != nil {
		return err
	}
	if err := t.mouse(ctx, "mousePressed", fromX, y, press); err != nil {
		return err
	}
	for i := 1; i <= steps; i++ {
		if err := t.mouse(ctx, "mouseMoved", fromX+(toX-fromX)*float64(i)/steps, y, press); err != nil {
			return err
		}
	}
	return t.mouse(ctx, "mouseReleased", toX, y, args{"button": "left", "clickCount": 1})
}

// Wheel turns the mouse's wheel by so many pixels. It does not wait: a hand does
// not either.
func (t *Tab) Wheel(x, y, pixels float64) error {
	_, err := t.pipe.post(t.session, "Input.dispatchMouseEvent", args{"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": pixels})
	return err
}
