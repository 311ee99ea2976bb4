package server_test

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// running counts the goroutines that stand in a function.
func running(function string) int {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		if bytes.Contains(stack, []byte(function)) {
			n++
		}
	}
	return n
}

const streamHandler = "rpc.(*Monitoring).StreamMetrics("

// wantNoStreams waits until no stream runs, by the server's own word and by its
// goroutines.
func wantNoStreams(t *testing.T, srv *servertest.Server) {
	t.Helper()
	servertest.Eventually(t, "no stream open", func() bool { return gauge(t, srv, "grpc_streams_open") == 0 })
	servertest.Eventually(t, "no handler running", func() bool { return running(streamHandler) == 0 })
}

// openStreams starts n streams and returns when each has sent a sample.
func openStream(ctx context.Context, t *testing.T, srv *servertest.Server, conn servertest.Connection) func() error {
	t.Helper()
	stream, err := srv.Client(conn).Monitoring().StreamMetrics(ctx, &monitoringpb.MetricRequest{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	if _, err := stream.Receive(); err != nil {
		t.Fatal(err)
	}
	return func() error {
		for {
			if _, err := stream.Receive(); err != nil {
				return err
			}
		}
	}
}

func TestStreamEndsWithItsCaller(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		ctx, cancel := context.WithCancel(t.Context())
		rest := openStream(ctx, t, srv, conn)
		cancel()
		wantError(t, rest(), connect.CodeCanceled)
	})
	wantNoStreams(t, srv)
	if lines := srv.Log.Lines("level=ERROR"); len(lines) > 0 {
		t.Errorf("callers that left are logged as errors: %s", lines)
	}
}

func TestStreamDeadline(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		// Without it the stream would end in order, after nine seconds.
		wantError(t, openStream(ctx, t, srv, conn)(), connect.CodeDeadlineExceeded)
	})
	wantNoStreams(t, srv)
}

// The server itself keeps to the deadline that a caller names, whatever the
// caller does.
func TestServerKeepsDeadline(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	frame := "\x00\x00\x00\x00\x02{}"
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		got := send(t, c, http.MethodPost, srv.URL+streamMetrics, frame, "Content-Type: application/connect+json", "Connect-Timeout-Ms: 800")
		if !strings.Contains(got.body, `"code":"deadline_exceeded"`) || strings.Count(got.body, `"hostname"`) != 1 {
			t.Errorf("Connect: %q", got.body)
		}
		got = send(t, c, http.MethodPost, srv.URL+streamMetrics, "\x00\x00\x00\x00\x00", "Content-Type: application/grpc-web", "Grpc-Timeout: 300m")
		if code, _ := grpcStatus(got); code != "4" {
			t.Errorf("gRPC-Web: status %q of %q", code, got.body)
		}
		got = send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON, "Connect-Timeout-Ms: 0")
		if got.status != 200 {
			wantConnectError(t, got, 504, "deadline_exceeded")
		}
	})
	got := send(t, srv.HTTP2(), http.MethodPost, srv.URL+streamMetrics, "\x00\x00\x00\x00\x00", "Content-Type: application/grpc", "Te: trailers", "Grpc-Timeout: 300m")
	if code, _ := grpcStatus(got); code != "4" {
		t.Errorf("gRPC: status %q", code)
	}
	wantNoStreams(t, srv)
}
