package interop_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

// closedAndLive are URLs of history that is closed, and of history that goes on.
func closedAndLive(t *testing.T) (closed, live string) {
	t.Helper()
	srv := servertest.NewServer(t, server.Options{History: store.Options{Dir: t.TempDir(), OutOfOrderWindow: time.Hour}})
	past := time.Now().Add(-12 * time.Hour).Truncate(time.Hour)
	sample := metric.Sample{Series: metric.NewSeries(metric.CPU, srv.Hostname(), nil), Time: past.UnixMilli(), Value: 7}
	if err := srv.Report(t.Context(), []metric.Sample{sample}); err != nil {
		t.Fatal(err)
	}
	srv.Seed()
	message := fmt.Sprintf(`{"selector":"cpu","start":%q,"end":%q}`, past.UTC().Format(time.RFC3339), past.Add(time.Hour).UTC().Format(time.RFC3339))
	values := url.Values{"connect": {"v1"}, "encoding": {"json"}, "message": {message}}
	live = srv.URL + getMetric + "?connect=v1&encoding=json&message=%7B%7D"
	return srv.URL + "/monitoring.v1.QueryService/QueryRange?" + values.Encode(), live
}

// curl keeps an ETag in a file and asks by it.
func TestCurlETag(t *testing.T) {
	curl := tool(t, "curl", "curl")
	closed, live := closedAndLive(t)
	kept := filepath.Join(t.TempDir(), "etag")
	ask := func() string {
		return mustRun(t, "", curl, "-sS", "--etag-save", kept, "--etag-compare", kept, "-w", " HTTP %{http_code}", closed)
	}
	has(t, "the first time", ask(), `"averages":[7]`, "HTTP 200")
	if second := ask(); strings.TrimSpace(second) != "HTTP 304" {
		t.Errorf("the second time: %s", second)
	}
	has(t, "what goes on", mustRun(t, "", curl, "-sS", "-i", live), "Cache-Control: no-store")
}

// A browser asks the server once for what is closed, and each time for what is not.
func TestChromiumCache(t *testing.T) {
	closed, live := closedAndLive(t)
	var got struct{ Closed, Live []bool }
	out := chromium(t, "chromium_cache.mjs", closed, live)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if fmt.Sprint(got.Closed) != "[false true]" || fmt.Sprint(got.Live) != "[false false]" {
		t.Errorf("answered from the browser's cache: %s", out)
	}
}
