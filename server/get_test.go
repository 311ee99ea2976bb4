package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/client"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

const (
	getMetric     = "/monitoring.MonitoringService/GetMetric"
	streamMetrics = "/monitoring.MonitoringService/StreamMetrics"
	checkHealth   = "/monitoring.MonitoringService/CheckHealth"
)

// answer is a whole HTTP response.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    string
}

// send makes an HTTP request; header lines are "Name: value".
func send(t *testing.T, c *http.Client, method, url, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Content-Type") == "application/json" && res.Header.Get("Content-Encoding") == "" {
		var compact bytes.Buffer // protobuf's JSON has spaces here and there, on purpose
		if err := json.Compact(&compact, text); err != nil {
			t.Fatalf("%q is no JSON: %v", text, err)
		}
		text = compact.Bytes()
	}
	return answer{res.StatusCode, res.Header, res.Trailer, string(text)}
}

// eachHTTP runs the test over HTTP/1.1 and over HTTP/2.
func eachHTTP(t *testing.T, srv *servertest.Server, test func(t *testing.T, c *http.Client)) {
	t.Run("http1", func(t *testing.T) { test(t, srv.HTTP1()) })
	t.Run("http2", func(t *testing.T) { test(t, srv.HTTP2()) })
}

// seenRequests notes what a client puts on the wire.
type seenRequests struct {
	next http.RoundTripper
	last *http.Request
}

func (s *seenRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	s.last = req
	return s.next.RoundTrip(req)
}

func TestConnectGetByClientOption(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for _, codec := range [][]client.Option{nil, {client.WithJSON()}} {
		eachHTTP(t, srv, func(t *testing.T, h *http.Client) {
			seen := &seenRequests{next: h.Transport}
			c := srv.Client(servertest.Connection{Options: codec}, client.WithGet(), client.WithRoundTripper(seen)).Monitoring()
			metric, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{MetricType: "memory"})
			if err != nil || metric.GetValue() != 3.25 {
				t.Errorf("GetMetric: %v, %v", metric, err)
			}
			if seen.last.Method != http.MethodGet {
				t.Errorf("GetMetric went by %s, want GET", seen.last.Method)
			}
			state, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "api"})
			if err != nil || !state.GetHealthy() || seen.last.Method != http.MethodGet {
				t.Errorf("CheckHealth by %s: %v, %v", seen.last.Method, state, err)
			}
		})
	}
}

func TestConnectGetByURL(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		asked := "?connect=v1&encoding=json&message=" + url.QueryEscape(`{"metricType":"disk"}`)
		got := send(t, c, http.MethodGet, srv.URL+getMetric+asked, "")
		if got.status != http.StatusOK || !strings.Contains(got.body, `"value":40`) {
			t.Errorf("JSON: %d %s", got.status, got.body)
		}
		if ct := got.header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("content type %q, want application/json", ct)
		}

		wire, err := proto.Marshal(&monitoringpb.MetricRequest{MetricType: "disk"})
		if err != nil {
			t.Fatal(err)
		}
		binary := "?connect=v1&encoding=proto&base64=1&message=" + base64.RawURLEncoding.EncodeToString(wire)
		got = send(t, c, http.MethodGet, srv.URL+getMetric+binary, "")
		var res monitoringpb.MetricResponse
		if err := proto.Unmarshal([]byte(got.body), &res); got.status != http.StatusOK || err != nil || res.GetValue() != 40 {
			t.Errorf("binary: %d %q %v", got.status, got.body, err)
		}

		got = send(t, c, http.MethodGet, srv.URL+checkHealth+"?encoding=json&message={}", "")
		if got.status != http.StatusOK || got.body != `{"healthy":true,"message":"Service vitals is running"}` {
			t.Errorf("CheckHealth: %d %s", got.status, got.body)
		}
		got = send(t, c, http.MethodGet, srv.URL+streamMetrics+"?encoding=json&message={}", "")
		if got.status != http.StatusMethodNotAllowed || !strings.Contains(got.body, "POST") || got.header.Get("Allow") != "POST" {
			t.Errorf("GET of a stream: %d %v %s", got.status, got.header, got.body)
		}
	})
}
