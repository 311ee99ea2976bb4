package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

const asJSON = "Content-Type: application/json"

// wantConnectError holds an answer to a Connect error of that code.
func wantConnectError(t *testing.T, got answer, status int, code string, texts ...string) {
	t.Helper()
	var body struct{ Code, Message string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("%d, no JSON error: %q", got.status, got.body)
	}
	if got.status != status || body.Code != code {
		t.Errorf("%d %s, want %d %s: %s", got.status, body.Code, status, code, body.Message)
	}
	for _, text := range texts {
		if !strings.Contains(body.Message, text) {
			t.Errorf("message %q does not say %q", body.Message, text)
		}
	}
}

func TestBadRequests(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		post := func(path, body string, header ...string) answer {
			t.Helper()
			return send(t, c, http.MethodPost, srv.URL+path, body, header...)
		}
		wantConnectError(t, post(getMetric, "this is no JSON", asJSON), 400, "invalid_argument", "unmarshal")
		wantConnectError(t, post(getMetric, `{"hostname":7}`, asJSON), 400, "invalid_argument", "hostname")
		wantConnectError(t, post(getMetric, `{"hostname":"\ud800"}`, asJSON), 400, "invalid_argument")
		wantConnectError(t, post(getMetric, "\xff\xff\xff", "Content-Type: application/proto"), 400, "invalid_argument")
		wantConnectError(t, post(getMetric, "{}", asJSON, "Content-Encoding: br"), 501, "unimplemented", "br", "gzip")
		wantConnectError(t, post(getMetric, "no gzip", asJSON, "Content-Encoding: gzip"), 400, "invalid_argument")
		wantConnectError(t, post(getMetric, "{}", asJSON, "Connect-Timeout-Ms: soon"), 400, "invalid_argument", "timeout")
		wantConnectError(t, post(getMetric, "{}", asJSON, "Connect-Protocol-Version: 9"), 400, "invalid_argument", "Connect-Protocol-Version")

		// JSON may be sparse, in either case of names, have fields of a later
		// version, and carry a charset.
		for _, body := range []string{`{"metricType":"disk"}`, `{"metric_type":"disk"}`, `{"metricType":"disk","later":{"x":1}}`} {
			if got := post(getMetric, body, asJSON+"; charset=utf-8"); got.status != 200 || !strings.Contains(got.body, `"value":40`) {
				t.Errorf("%s: %d %s", body, got.status, got.body)
			}
		}
		if got := post(getMetric, "", asJSON); got.status != 400 && got.status != 200 {
			t.Errorf("an empty body: %d %s", got.status, got.body)
		}
		if got := post(getMetric, "{}", asJSON); got.status != 200 {
			t.Errorf("after all that: %d %s", got.status, got.body)
		}
	})
}

func TestUnknownProcedure(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		for _, path := range []string{"/monitoring.MonitoringService/GetMetrics", "/monitoring.Other/GetMetric", "/GetMetric", "/" + strings.Repeat("a", 50_000)} {
			got := send(t, c, http.MethodPost, srv.URL+path, "{}", asJSON)
			wantConnectError(t, got, 404, "unimplemented", "there is no procedure "+path[:10], "reflection")
			if len(got.body) > 1000 {
				t.Errorf("the answer to a path of %d bytes has %d", len(path), len(got.body))
			}
		}
		for _, contentType := range []string{"application/grpc", "application/grpc+proto", "application/grpc-web"} {
			got := send(t, c, http.MethodPost, srv.URL+"/monitoring.MonitoringService/Nope", "\x00\x00\x00\x00\x00", "Content-Type: "+contentType)
			status, message := grpcStatus(got)
			if got.status != 200 || status != "12" || !strings.Contains(message, "there is no procedure /monitoring.MonitoringService/Nope here") {
				t.Errorf("%s: HTTP %d, grpc-status %q, %q", contentType, got.status, status, message)
			}
		}
	})
}

// grpcStatus reads the status from where it may stand: trailers, headers (an
// answer without a body), or the last frame of gRPC-Web.
func grpcStatus(got answer) (code, message string) {
	for _, header := range []http.Header{got.trailer, got.header} {
		if code := header.Get("Grpc-Status"); code != "" {
			return code, header.Get("Grpc-Message")
		}
	}
	for line := range strings.Lines(got.body) {
		if _, value, ok := strings.Cut(line, "grpc-status: "); ok {
			code = strings.TrimSpace(value)
		}
		if _, value, ok := strings.Cut(line, "grpc-message: "); ok {
			message = strings.TrimSpace(value)
		}
	}
	return code, message
}

func TestUnknownMethodAndContentType(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "BREW"} {
			got := send(t, c, method, srv.URL+getMetric, "{}", asJSON)
			if got.status != http.StatusMethodNotAllowed || !strings.Contains(got.body, "call this procedure with POST") {
				t.Errorf("%s: %d %q", method, got.status, got.body)
			}
			if allow := got.header.Get("Allow"); !strings.Contains(allow, "POST") || !strings.Contains(allow, "GET") {
				t.Errorf("%s: Allow %q", method, allow)
			}
		}
		for _, contentType := range []string{"text/plain", "application/xml", "", "application/x-www-form-urlencoded", "nonsense"} {
			got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", "Content-Type: "+contentType)
			if got.status != http.StatusUnsupportedMediaType || !strings.Contains(got.body, "application/json") || !strings.Contains(got.body, "application/grpc-web") {
				t.Errorf("%q: %d %q", contentType, got.status, got.body)
			}
			if accept := got.header.Get("Accept-Post"); !strings.Contains(accept, "application/json") {
				t.Errorf("%q: Accept-Post %q", contentType, accept)
			}
		}
		if got := send(t, c, http.MethodPost, srv.URL+streamMetrics, "{}", asJSON); got.status != http.StatusUnsupportedMediaType || !strings.Contains(got.body, "connect+json") {
			t.Errorf("a stream asked for as unary: %d %q", got.status, got.body)
		}
	})
}

// gRPC has no place in HTTP/1.1: without trailers the caller could not read the
// end of the call. It must be told so rather than hang.
func TestGRPCOverHTTP1(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "\x00\x00\x00\x00\x00", "Content-Type: application/grpc", "Te: trailers")
	if got.status != http.StatusHTTPVersionNotSupported && !(got.status == 200 && got.trailer.Get("Grpc-Status") == "0") {
		t.Errorf("%d %v %v %q", got.status, got.header, got.trailer, got.body)
	}
}

func TestRequestID(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		call := func(id string) string {
			t.Helper()
			got := send(t, c, http.MethodPost, srv.URL+getMetric, `{"hostname":"nowhere"}`, asJSON, "X-Request-Id: "+id)
			return got.header.Get("X-Request-Id")
		}
		mine := "order-66/" + t.Name()
		if id := call(mine); id != mine {
			t.Errorf("sent id %q, came back as %q", mine, id)
		}
		servertest.Eventually(t, "a log record with the id", func() bool { return len(srv.Log.Lines("level=INFO", mine, "not_found")) == 1 })
		seen := map[string]bool{}
		for _, bad := range []string{"", "two words", strings.Repeat("x", 65), "tab\there", "café"} {
			id := call(bad)
			if id == bad || len(id) < 16 || seen[id] {
				t.Errorf("sent id %q, got %q: want a new one", bad, id)
			}
			seen[id] = true
		}
	})
}

func TestPage(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "page %s %s", r.Method, r.URL.Path) })
	srv := servertest.NewSeeded(t, server.Options{Page: page})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		for _, path := range []string{"/", "/assets/a.js", "/monitoring.Other/GetMetric"} {
			if got := send(t, c, http.MethodGet, srv.URL+path, ""); got.body != "page GET "+path {
				t.Errorf("GET %s: %q", path, got.body)
			}
		}
		if got := send(t, c, http.MethodPost, srv.URL+"/upload", "a=b", "Content-Type: text/plain"); got.body != "page POST /upload" {
			t.Errorf("a POST that is no RPC: %q", got.body)
		}
	})
}
