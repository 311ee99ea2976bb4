package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Tab is a page in a browser context of its own, so that its cache is empty.
type Tab struct {
	pipe                     *pipe
	target, session, context string
}

// Open opens an empty tab of a size in CSS pixels; script runs in each page before
// the page's own.
func (b *Browser) Open(ctx context.Context, width, height int, script string) (*Tab, error) {
	t := &Tab{pipe: b.pipe}
	var made struct {
		Context string `json:"browserContextId"`
		Target  string `json:"targetId"`
		Session string `json:"sessionId"`
	}
	if err := t.pipe.call(ctx, "", "Target.createBrowserContext", nil, &made); err != nil {
		return nil, err
	}
	t.context = made.Context
	err := t.pipe.call(ctx, "", "Target.createTarget", args{"url": "about:blank", "browserContextId": t.context, "width": width, "height": height}, &made)
	if err == nil {
		t.target = made.Target
		err = t.pipe.call(ctx, "", "Target.attachToTarget", args{"targetId": t.target, "flatten": true}, &made)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	t.session = made.Session
	setup := []struct {
		method string
		params args
	}{
		{"Page.enable", nil},
		{"Runtime.enable", nil},
		{"Network.enable", nil},
		// Processor time, not what passed meanwhile on a busy machine.
		{"Performance.enable", args{"timeDomain": "threadTicks"}},
		{"Emulation.setDeviceMetricsOverride", args{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}},
		{"Page.addScriptToEvaluateOnNewDocument", args{"source": script}},
	}
	for _, s := range setup {
		if err := t.Call(ctx, s.method, s.params, nil); err != nil {
			return nil, errors.Join(err, t.Close(ctx))
		}
	}
	return t, nil
}

type args map[string]any

// Close closes the tab and forgets all that it kept.
func (t *Tab) Close(ctx context.Context) error {
	return t.pipe.call(ctx, "", "Target.disposeBrowserContext", args{"browserContextId": t.context}, nil)
}

// Call calls a method of the DevTools protocol and decodes its answer into what
// into points to, if it is not nil.
func (t *Tab) Call(ctx context.Context, method string, params, into any) error {
	return t.pipe.call(ctx, t.session, method, params, into)
}

// On calls do with each event of a kind, as the protocol names it. It must return
// at once.
func (t *Tab) On(method string, do func(params json.RawMessage)) { t.pipe.on(t.session, method, do) }

// Go goes to a URL; it does not wait for the page.
func (t *Tab) Go(ctx context.Context, url string) error {
	var went struct {
		Error string `json:"errorText"`
	}
	if err := t.Call(ctx, "Page.navigate", args{"url": url}, &went); err != nil {
		return err
	}
	if went.Error != "" {
		return fmt.Errorf("%s: %s", url, went.Error)
	}
	return nil
}

// evaluated is the answer to what runs in the page.
type evaluated struct {
	Result struct {
		Value    json.RawMessage `json:"value"`
		ObjectID string          `json:"objectId"`
	} `json:"result"`
	Exception *struct {
		Text      string `json:"text"`
		Exception struct {
			Description string `json:"description"`
		} `json:"exception"`
	} `json:"exceptionDetails"`
}

func (e *evaluated) into(value any) error {
	switch {
	case e.Exception != nil:
		return fmt.Errorf("in the page: %s %s", e.Exception.Text, e.Exception.Exception.Description)
	case value == nil || len(e.Result.Value) == 0:
		return nil
	}
	return json.Unmarshal(e.Result.Value, value)
}

// Evaluate runs an expression in the page, waits for it if it is a promise, and
// decodes its value.
func (t *Tab) Evaluate(ctx context.Context, expression string, into any) error {
	var e evaluated
	if err := t.Call(ctx, "Runtime.evaluate", args{"expression": expression, "awaitPromise": true, "returnByValue": true}, &e); err != nil {
		return err
	}
	return e.into(into)
}

// Objects calls a function, as text, with an array of all plain objects that live
// in the page, and decodes what it returns. It collects garbage first.
func (t *Tab) Objects(ctx context.Context, function string, into any) error {
	var prototype, e evaluated
	if err := t.Call(ctx, "Runtime.evaluate", args{"expression": "Object.prototype", "objectGroup": "objects"}, &prototype); err != nil {
		return err
	}
	defer func() { _ = t.Call(ctx, "Runtime.releaseObjectGroup", args{"objectGroup": "objects"}, nil) }() // closing the tab frees them too
	var found struct {
		Objects struct {
			ObjectID string `json:"objectId"`
		} `json:"objects"`
	}
	if err := t.Call(ctx, "Runtime.queryObjects", args{"prototypeObjectId": prototype.Result.ObjectID, "objectGroup": "objects"}, &found); err != nil {
		return err
	}
	call := args{
		"objectId": found.Objects.ObjectID, "functionDeclaration": "function() { return (" + function + ")(this) }", "returnByValue": true,
	}
	if err := t.Call(ctx, "Runtime.callFunctionOn", call, &e); err != nil {
		return err
	}
	return e.into(into)
}

// Metrics are Performance.getMetrics: times in seconds of processor time.
func (t *Tab) Metrics(ctx context.Context) (map[string]float64, error) {
	var answer struct {
		Metrics []struct {
			Name  string  `json:"name"`
			Value float64 `json:"value"`
		} `json:"metrics"`
	}
	if err := t.Call(ctx, "Performance.getMetrics", nil, &answer); err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for _, m := range answer.Metrics {
		all[m.Name] = m.Value
	}
	return all, nil
}

// Heap is how many bytes JavaScript's objects take, with what is garbage by now or
// after it was collected.
func (t *Tab) Heap(ctx context.Context, collect bool) (float64, error) {
	var usage struct {
		Used float64 `json:"usedSize"`
	}
	if collect {
		if err := t.Call(ctx, "HeapProfiler.collectGarbage", nil, nil); err != nil {
			return 0, err
		}
	}
	err := t.Call(ctx, "Runtime.getHeapUsage", nil, &usage)
	return usage.Used, err
}

// Profile samples the page's scripts until stop, which returns the profile as
// DevTools opens it, a .cpuprofile file.
func (t *Tab) Profile(ctx context.Context) (stop func() (json.RawMessage, error), err error) {
	for _, s := range []struct {
		method string
		params args
	}{{"Profiler.enable", nil}, {"Profiler.setSamplingInterval", args{"interval": 200}}, {"Profiler.start", nil}} {
		if err := t.Call(ctx, s.method, s.params, nil); err != nil {
			return nil, err
		}
	}
	return func() (json.RawMessage, error) {
		var answer struct {
			Profile json.RawMessage `json:"profile"`
		}
		err := t.Call(ctx, "Profiler.stop", nil, &answer)
		return answer.Profile, err
	}, nil
}
