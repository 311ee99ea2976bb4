package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// object is what is sent as JSON.
type object map[string]any

// receipt is what comes back.
type receipt struct {
	Stored, Duplicates, Rejected string // 64-bit integers are strings in JSON
	Rejections                   []struct{ Index, Series, Reason string }
}

// post calls ReportBatch as curl does.
func post(tb testing.TB, s *serverProcess, host string, samples ...object) (status int, got receipt, text string) {
	tb.Helper()
	body, err := json.Marshal(object{"hostname": host, "samples": samples})
	if err != nil {
		tb.Fatal(err)
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := c.Post(s.url+"/monitoring.v1.IngestService/ReportBatch", "application/json", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		var r struct{ Receipt receipt }
		if err := json.Unmarshal(answer, &r); err != nil {
			tb.Fatalf("%v: %s", err, answer)
		}
		got = r.Receipt
	}
	return res.StatusCode, got, string(answer)
}

func sample(metricType string, value any) object {
	return object{"metricType": metricType, "value": value}
}

func (o object) with(name string, value any) object {
	o[name] = value
	return o
}

func manyLabels(n int) object {
	labels := object{}
	for i := range n {
		labels[fmt.Sprintf("l%d", i)] = "x"
	}
	return labels
}

// TestLimits hits each limit once, beside a sample that is good.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--max-series-per-host", "50", "--max-sample-rate", "100", "--out-of-order-window", "1h")
	c := s.client()
	eventuallyMeasured(t, c) // so that there is a newest sample to be older than

	// A good sample is on each side of the bad one.
	f := func(bad object, reasons ...string) {
		t.Helper()
		at := time.Now().Format(time.RFC3339Nano)
		good := func(label string) object {
			return sample("good", 1).with("time", at).with("labels", object{"side": label})
		}
		status, got, text := post(t, s, "web-1", good("a"), bad, good("b"))
		if status != http.StatusOK || got.Stored != "2" || got.Rejected != "1" || len(got.Rejections) != 1 || got.Rejections[0].Index != "1" {
			t.Errorf("%v: %d %s; want the second refused and the others stored", bad, status, text)
			return
		}
		for _, reason := range reasons {
			if !strings.Contains(got.Rejections[0].Reason, reason) {
				t.Errorf("%v is refused with %q; want %q", bad, got.Rejections[0].Reason, reason)
			}
		}
		time.Sleep(2 * time.Millisecond) // the next good ones have a time of their own
	}
	f(sample("nan", "NaN"), "not a finite number")
	f(sample("inf", "-Infinity"), "not a finite number")
	f(sample("", 1), "metric type is empty")
	f(sample("9lives", 1), "9lives", "try")
	f(sample("queue-depth", 1), `try "queue_depth"`)
	f(sample(strings.Repeat("x", 129), 1), "longer than 128 bytes")
	f(sample("m", 1).with("labels", manyLabels(25)), "25 labels", "at most 24")
	f(sample("m", 1).with("labels", object{"a": strings.Repeat("x", 513)}), `"a"`, "longer than 512 bytes")
	f(sample("m", 1).with("labels", object{"a b": "x"}), "a b")
	f(sample("m", 1).with("labels", object{"__name__": "x"}), "reserved")
	f(sample("m", 1).with("labels", object{"hostname": "x"}), "reserved")
	f(sample("m", 1).with("time", time.Now().Add(2*time.Minute)), "ahead of the server's clock")
	f(sample("m", 1).with("time", time.Now().Add(-2*time.Hour)), "older than the out-of-order window")

	t.Run("within", func(t *testing.T) {
		_, got, text := post(t, s, "web-1",
			sample("m", 1).with("labels", manyLabels(24)),
			sample(strings.Repeat("x", 128), 1),
			sample("m", 1).with("labels", object{"a": strings.Repeat("x", 512)}),
			sample("m", 1).with("time", time.Now().Add(30*time.Second)),
			sample("m", 1).with("time", time.Now().Add(-50*time.Minute)))
		if got.Stored != "5" {
			t.Errorf("%s; want all stored", text)
		}
	})
	t.Run("twice", func(t *testing.T) {
		at := time.Now()
		_, got, text := post(t, s, "web-1", sample("d", 1).with("time", at), sample("d", 1).with("time", at))
		if got.Stored != "1" || got.Duplicates != "1" {
			t.Errorf("%s; want one stored and one a duplicate", text)
		}
		_, got, text = post(t, s, "web-1", sample("d", 2).with("time", at))
		if got.Rejected != "1" || !strings.Contains(text, "another value is stored") {
			t.Errorf("%s; want it refused", text)
		}
	})
	t.Run("series", func(t *testing.T) {
		var batch []object
		for i := range 52 {
			batch = append(batch, sample("s", i).with("labels", object{"n": fmt.Sprint(i)}))
		}
		_, got, text := post(t, s, "web-2", batch...)
		if got.Stored != "50" || got.Rejected != "2" || len(got.Rejections) != 2 || got.Rejections[0].Index != "50" ||
			!strings.Contains(got.Rejections[0].Reason, "limit of 50 series") || !strings.Contains(got.Rejections[0].Series, `hostname="web-2"`) {
			t.Errorf("%s; want 50 stored and the last two refused", text)
		}
	})
	t.Run("rate", func(t *testing.T) {
		at := time.Now()
		batch := func(n int) (out []object) {
			for range n {
				at = at.Add(-time.Millisecond)
				out = append(out, sample("r", 1).with("time", at))
			}
			return out
		}
		if _, got, text := post(t, s, "web-3", batch(1000)...); got.Stored != "1000" {
			t.Errorf("%s; want ten seconds' worth taken at once", text)
		}
		status, _, text := post(t, s, "web-3", batch(1000)...)
		if status != http.StatusTooManyRequests || !strings.Contains(text, "resource_exhausted") || !strings.Contains(text, "100 samples a second") {
			t.Errorf("%d %s; want resource_exhausted", status, text)
		}
		if _, got, text := post(t, s, "web-4", batch(1)...); got.Stored != "1" {
			t.Errorf("%s; want another host not to suffer", text)
		}
	})
	t.Run("whole", func(t *testing.T) {
		f := func(host string, samples []object, want string) {
			t.Helper()
			status, _, text := post(t, s, host, samples...)
			if status != http.StatusBadRequest || !strings.Contains(text, "invalid_argument") || !strings.Contains(text, want) {
				t.Errorf("%d %s; want invalid_argument with %q", status, text, want)
			}
		}
		f("web-1", nil, "samples")
		f(" web-1", []object{sample("m", 1)}, "begins or ends with a space")
		f("web\u00001", []object{sample("m", 1)}, "printable")
		f(strings.Repeat("x", 254), []object{sample("m", 1)}, "253")
		f("web-1", slices.Repeat([]object{sample("m", 1)}, 10_001), "10000")
	})
}
