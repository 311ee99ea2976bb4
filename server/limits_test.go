package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/client"
	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestMessageOverTheLimit(t *testing.T) {
	const limit = 64 << 10
	srv := servertest.NewSeeded(t, server.Options{MaxMessageBytes: limit})
	within := strings.Repeat("x", limit-1000)
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		for _, more := range [][]client.Option{nil, {client.WithGzip()}} { // the limit is of the message, not of its compressed form
			c := srv.Client(conn, append(more, client.WithTimeout(time.Minute))...).Monitoring()
			_, err := c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: within + within})
			wantError(t, err, connect.CodeResourceExhausted, "larger than configured max")
			_, err = c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: within})
			wantError(t, err, connect.CodeNotFound, "is not known")
			_, err = c.CheckHealth(t.Context(), &monitoringpb.HealthRequest{Service: "api"})
			if err != nil {
				t.Errorf("after it: %v", err)
			}
		}
	})
}

// endless is a body of zeros of that size, which costs no memory.
func endless(size int64) io.Reader { return io.LimitReader(zeros{}, size) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestHundredMegabytes(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		for _, contentType := range []string{"application/json", "application/proto", "application/grpc-web", "application/connect+json"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+getMetric, endless(100<<20))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", contentType)
			req.Header.Set("Expect", "100-continue")
			res, err := c.Do(req)
			if err != nil {
				// The server may hang up on a caller who goes on sending.
				t.Logf("%s: %v", contentType, err)
			} else {
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if strings.HasSuffix(contentType, "/json") && !strings.Contains(string(body), "resource_exhausted") {
					t.Errorf("%s: %d %q", contentType, res.StatusCode, body)
				}
			}
			if got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != 200 {
				t.Errorf("after it: %d %s", got.status, got.body)
			}
		}
	})
}

// A few kilobytes that unpack to twenty megabytes are refused for what they
// are, before they are in memory.
func TestDecompressionBomb(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	var bomb bytes.Buffer
	packer, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(packer, endless(20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		got := send(t, c, http.MethodPost, srv.URL+getMetric, bomb.String(), asJSON, "Content-Encoding: gzip")
		wantConnectError(t, got, 429, "resource_exhausted", "larger than configured max")
	})
}

func TestStreamLimit(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{MaxStreams: 2})
	for _, conn := range servertest.Connections() {
		t.Run(conn.Name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			openStream(ctx, t, srv, conn)
			openStream(ctx, t, srv, conn)
			_, err := receiveAll(t.Context(), t, srv, conn, &monitoringpb.MetricRequest{})
			wantError(t, err, connect.CodeResourceExhausted, "limit of 2 streams", "try again later")
			if _, err := srv.Client(conn).Monitoring().GetMetric(t.Context(), &monitoringpb.MetricRequest{}); err != nil {
				t.Errorf("a unary call at the limit: %v", err)
			}
			cancel()
			wantNoStreams(t, srv)
		})
	}
}

func TestStreamLimitOfAConnection(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{MaxStreamsPerConn: 7})
	peer := newRawPeer(t, srv)
	got, ok := peer.settings.Value(http2.SettingMaxConcurrentStreams)
	if !ok || got != 7 {
		t.Errorf("the server allows %d calls on a connection, want 7", got)
	}
}

const sendTimeout = 300 * time.Millisecond

// A caller that opens a stream and does not read is cut, and others notice
// nothing of it.
func TestSlowReaderIsCut(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{SendTimeout: sendTimeout})
	peer := newRawPeer(t, srv, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	peer.request(1, streamMetrics, "application/grpc", "\x00\x00\x00\x00\x00")
	servertest.Eventually(t, "the stream has been opened", func() bool { return gauge(t, srv, "grpc_streams_opened_total") == 1 })
	c := srv.Client(servertest.Connections()[4]).Monitoring()
	for range 20 {
		if _, err := c.GetMetric(t.Context(), &monitoringpb.MetricRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	peer.wantReset(1)
	wantNoStreams(t, srv)
}

// The last part of an answer is sent when its handler has returned already;
// that must be bounded too.
func TestSlowReaderOfUnaryIsCut(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{SendTimeout: sendTimeout})
	peer := newRawPeer(t, srv, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	peer.request(1, getMetric, "application/json", "{}")
	peer.wantReset(1)
}

func TestSlowReaderOfLargeAnswerIsCut(t *testing.T) {
	ended := make(chan error, 1)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				ended <- err
				return
			}
		}
	})
	srv := servertest.NewSeeded(t, server.Options{SendTimeout: sendTimeout, Page: page})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		select {
		case err := <-ended:
			t.Logf("cut: %v", err)
		case <-time.After(servertest.Patience):
			t.Error("the handler still writes to a caller that does not read")
		}
	})
}

func TestStreamAgeOverEachConnection(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{MaxStreamAge: time.Second})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		wantError(t, openStream(t.Context(), t, srv, conn)(), connect.CodeUnavailable, "greatest age", "open it again")
	})
	wantNoStreams(t, srv)
}
