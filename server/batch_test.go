package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// A batch that no waiting makes small enough is told so, and not to come again.
func TestBatchThatNeverPasses(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{MaxSampleRate: 10})
	report := func(samples, wantStatus int, wantBody, wantRetry string) {
		t.Helper()
		batch := strings.TrimSuffix(strings.Repeat(`{"metricType":"jobs","value":1},`, samples), ",")
		res, err := http.Post(srv.URL+"/monitoring.v1.IngestService/ReportBatch", "application/json", strings.NewReader(fmt.Sprintf(`{"hostname":"web-1","samples":[%s]}`, batch)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != wantStatus || !strings.Contains(string(body), wantBody) || res.Header.Get("Retry-After") != wantRetry {
			t.Errorf("%d samples: %d, Retry-After %q, %s, %v", samples, res.StatusCode, res.Header.Get("Retry-After"), body, err)
		}
		if strings.Contains(string(body), "RetryInfo") != (wantRetry != "") {
			t.Errorf("%d samples: %s", samples, body)
		}
	}
	report(101, http.StatusTooManyRequests, "split them into batches of at most 100", "")
	report(100, http.StatusOK, "receipt", "")
	report(100, http.StatusTooManyRequests, "wait and send again", "1")
}
