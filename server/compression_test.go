package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func gunzipped(t *testing.T, packed string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatalf("%q is no gzip: %v", packed, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// envelope is a message in gRPC's framing; flag 1 says that it is compressed.
func envelope(flag byte, message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message)))) + message
}

// firstMessage takes the first message out of gRPC's framing.
func firstMessage(t *testing.T, body string) (flag byte, message string) {
	t.Helper()
	if len(body) < 5 {
		t.Fatalf("no message in %q", body)
	}
	size := binary.BigEndian.Uint32([]byte(body[1:5]))
	return body[0], body[5 : 5+size]
}

// The bytes on the wire are looked at here, for a library would unpack them
// unseen, or send them as they are.
func TestGzipOnTheWire(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		got := send(t, c, http.MethodPost, srv.URL+getMetric, gzipped(t, `{"metricType":"disk"}`), asJSON, "Content-Encoding: gzip", "Accept-Encoding: gzip")
		if got.header.Get("Content-Encoding") != "gzip" || !strings.Contains(gunzipped(t, got.body), `40`) {
			t.Errorf("Connect: %d %v %q", got.status, got.header, got.body)
		}
		if got = send(t, c, http.MethodPost, srv.URL+getMetric, `{}`, asJSON); got.header.Get("Content-Encoding") != "" || !strings.Contains(got.body, "12.5") {
			t.Errorf("Connect, nothing accepted: %v %q", got.header, got.body)
		}
		got = send(t, c, http.MethodGet, srv.URL+getMetric+"?encoding=json&message={}", "", "Accept-Encoding: gzip")
		if got.header.Get("Content-Encoding") != "gzip" || !strings.Contains(gunzipped(t, got.body), `12.5`) {
			t.Errorf("Connect GET: %d %v %q", got.status, got.header, got.body)
		}
		got = send(t, c, http.MethodPost, srv.URL+streamMetrics, envelope(1, gzipped(t, `{"metricType":"disk"}`)),
			"Content-Type: application/connect+json", "Connect-Content-Encoding: gzip", "Connect-Accept-Encoding: gzip", "Connect-Timeout-Ms: 200")
		flag, message := firstMessage(t, got.body)
		if got.header.Get("Connect-Content-Encoding") != "gzip" || flag != 1 || !strings.Contains(gunzipped(t, message), "40") {
			t.Errorf("Connect stream: %v %d %q", got.header, flag, message)
		}
		for _, contentType := range []string{"application/grpc", "application/grpc-web"} {
			if contentType == "application/grpc" && strings.HasSuffix(t.Name(), "http1") {
				continue
			}
			got := send(t, c, http.MethodPost, srv.URL+getMetric, envelope(1, gzipped(t, "\x12\x04disk")),
				"Content-Type: "+contentType, "Te: trailers", "Grpc-Encoding: gzip", "Grpc-Accept-Encoding: gzip")
			flag, message := firstMessage(t, got.body)
			if got.header.Get("Grpc-Encoding") != "gzip" || flag != 1 || !strings.Contains(gunzipped(t, message), "disk") {
				t.Errorf("%s: %v %d %q", contentType, got.header, flag, message)
			}
		}
	})
}

// wireBytes counts the bytes of request bodies.
type wireBytes struct {
	next http.RoundTripper
	mu   sync.Mutex
	sent int
	head http.Header
}

func (w *wireBytes) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.head = req.Header.Clone()
	w.mu.Unlock()
	if req.Body != nil {
		req.Body = &countedBody{req.Body, w}
		req.GetBody = nil
	}
	return w.next.RoundTrip(req)
}

type countedBody struct {
	io.ReadCloser
	w *wireBytes
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.w.mu.Lock()
	b.w.sent += n
	b.w.mu.Unlock()
	return n, err
}

func TestClientSendsGzip(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	long := strings.Repeat("server01", 10_000)
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		h := srv.HTTP1()
		if conn.HTTP2 {
			h = srv.HTTP2()
		}
		wire := &wireBytes{next: h.Transport}
		c := srv.Client(conn, client.WithGzip(), client.WithRoundTripper(wire)).Monitoring()
		_, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: long})
		wantError(t, err, connect.CodeNotFound, "is not known")
		wire.mu.Lock()
		defer wire.mu.Unlock()
		if wire.sent == 0 || wire.sent > len(long)/10 {
			t.Errorf("%d bytes were sent of %d: not compressed; %v", wire.sent, len(long), wire.head)
		}
	})
}
