package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

// withPast starts a server that takes samples of the last hour, with some of half
// a day ago.
func withPast(t *testing.T) (srv *servertest.Server, past time.Time) {
	t.Helper()
	opts := server.Options{History: store.Options{Dir: t.TempDir(), OutOfOrderWindow: time.Hour}}
	srv = servertest.NewServer(t, opts)
	past = time.Now().Add(-12 * time.Hour).Truncate(time.Hour)
	series := metric.NewSeries(metric.CPU, srv.Hostname(), nil)
	for i := range 60 {
		sample := metric.Sample{Series: series, Time: past.Add(time.Duration(i) * time.Minute).UnixMilli(), Value: float64(i)}
		if err := srv.Report(t.Context(), []metric.Sample{sample}); err != nil {
			t.Fatal(err)
		}
	}
	srv.Seed()
	return srv, past
}

// getURL is the URL of a Connect GET.
func getURL(srv *servertest.Server, procedure, encoding, message string) string {
	values := url.Values{"connect": {"v1"}, "encoding": {encoding}, "message": {message}}
	return srv.URL + procedure + "?" + values.Encode()
}

const (
	queryRange  = "/monitoring.v1.QueryService/QueryRange"
	queryPromQL = "/monitoring.v1.QueryService/QueryPromQL"
)

func TestCaching(t *testing.T) {
	srv, past := withPast(t)
	at := func(d time.Duration) string { return past.Add(d).UTC().Format(time.RFC3339) }
	now := time.Now().UTC().Format(time.RFC3339)
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		f := func(closed bool, procedure, message string, header ...string) {
			t.Helper()
			target := getURL(srv, procedure, "json", message)
			first := send(t, c, http.MethodGet, target, "", header...)
			control, tag := first.header.Get("Cache-Control"), first.header.Get("ETag")
			if !closed {
				if first.status != http.StatusOK || control != "no-store" || tag != "" {
					t.Errorf("%s: %d, Cache-Control %q, ETag %q", message, first.status, control, tag)
				}
				return
			}
			if first.status != http.StatusOK || !strings.HasSuffix(control, "max-age=86400, immutable") || len(tag) < 10 || tag[0] != '"' || first.header.Get("Vary") == "" {
				t.Errorf("%s: %d, %v", message, first.status, first.header)
			}
			again := send(t, c, http.MethodGet, target, "", append(header, `If-None-Match: "other", `+tag)...)
			if again.status != http.StatusNotModified || again.body != "" || again.header.Get("ETag") != tag || again.header.Get("Cache-Control") != control {
				t.Errorf("%s, asked again: %d %q %v", message, again.status, again.body, again.header)
			}
			other := send(t, c, http.MethodGet, target, "", append(header, `If-None-Match: "other"`)...)
			if other.status != http.StatusOK || other.body != first.body || other.header.Get("ETag") != tag {
				t.Errorf("%s, with another's tag: %d %q", message, other.status, other.body)
			}
		}
		f(true, queryRange, fmt.Sprintf(`{"selector":"cpu","start":%q,"end":%q}`, at(0), at(time.Hour)))
		f(true, queryRange, fmt.Sprintf(`{"selector":"cpu","start":%q,"end":%q}`, at(0), at(time.Hour)), "Accept-Encoding: gzip")
		f(false, queryRange, fmt.Sprintf(`{"selector":"cpu","start":%q,"end":%q}`, at(0), now))
		f(false, queryRange, fmt.Sprintf(`{"selector":"cpu","start":%q}`, at(0)))
		f(true, queryPromQL, fmt.Sprintf(`{"query":"cpu","start":%q,"end":%q}`, at(0), at(time.Hour)))
		f(true, queryPromQL, fmt.Sprintf(`{"query":"max_over_time(cpu[30m])","time":%q}`, at(time.Hour)))
		f(true, queryPromQL, fmt.Sprintf(`{"query":"1+1","time":%q}`, at(time.Hour)))
		f(false, queryPromQL, `{"query":"cpu"}`)
		f(false, queryPromQL, fmt.Sprintf(`{"query":"cpu","start":%q,"end":%q}`, at(0), now))
		// What looks ahead of the time that it is asked for.
		f(false, queryPromQL, fmt.Sprintf(`{"query":"cpu offset -12h","time":%q}`, at(0)))
		f(false, queryPromQL, fmt.Sprintf(`{"query":"cpu @ %d","time":%q}`, time.Now().Unix(), at(0)))
		f(true, queryPromQL, fmt.Sprintf(`{"query":"cpu @ %d","time":%q}`, past.Unix(), at(time.Hour)))
		f(false, getMetric, `{"metricType":"cpu"}`)
		f(false, "/monitoring.v1.QueryService/ListHosts", `{}`)
	})
}

// Who says who it is gets an answer for itself alone, others one for all.
func TestCachingForWhom(t *testing.T) {
	srv, past := withPast(t)
	message := fmt.Sprintf(`{"selector":"cpu","start":%q,"end":%q}`, past.UTC().Format(time.RFC3339), past.Add(time.Hour).UTC().Format(time.RFC3339))
	f := func(want string, header ...string) {
		t.Helper()
		got := send(t, srv.HTTP1(), http.MethodGet, getURL(srv, queryRange, "json", message), "", header...)
		if control := got.header.Get("Cache-Control"); !strings.HasPrefix(control, want+", ") {
			t.Errorf("%q: %s, want %s", header, control, want)
		}
	}
	f("public")
	f("private", "Cookie: session=abc")
	got := send(t, srv.HTTP1(), http.MethodGet, getURL(srv, queryRange, "json", `{"selector":"cpu{"}`), "")
	if got.status != http.StatusBadRequest || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an error: %d %v", got.status, got.header)
	}
	got = send(t, srv.HTTP1(), http.MethodPost, srv.URL+queryRange, message, asJSON)
	if got.status != http.StatusOK || got.header.Get("ETag") != "" || got.header.Get("Cache-Control") != "" {
		t.Errorf("POST: %d %v", got.status, got.header)
	}
}

// What is said to be closed cannot change: nothing that comes in after is taken.
func TestClosedHistoryStaysClosed(t *testing.T) {
	srv, past := withPast(t)
	late := &monitoringv1.CustomSample{MetricType: "late", Value: 1, Time: timestamppb.New(past.Add(30 * time.Minute))}
	res, err := srv.Client(servertest.Connection{}).Ingest().ReportBatch(t.Context(),
		&monitoringv1.ReportBatchRequest{Hostname: "web-1", Samples: []*monitoringv1.CustomSample{late}})
	if err != nil || res.GetReceipt().GetRejected() != 1 {
		t.Errorf("a sample from before what is closed: %v, %v", res, err)
	}
}
