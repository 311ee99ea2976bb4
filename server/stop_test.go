package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
)

func TestStopEndsStreams(t *testing.T) {
	for _, conn := range servertest.Connections() {
		t.Run(conn.Name, func(t *testing.T) {
			srv := servertest.NewSeeded(t, server.Options{ShutdownTimeout: time.Minute})
			rest := openStream(t.Context(), t, srv, conn)
			start := time.Now()
			srv.Stop()
			wantError(t, rest(), connect.CodeUnavailable, "the server is stopping")
			if err := srv.Wait(); err != nil {
				t.Errorf("Run: %v", err)
			}
			if took := time.Since(start); took > 2*servertest.Patience {
				t.Errorf("the drain of one stream took %v", took)
			}
			if lines := srv.Log.Lines("cut what was still open"); len(lines) > 0 {
				t.Errorf("a stream that ended in order: %s", lines)
			}
		})
	}
}

// halfSent begins a unary call over HTTP/1.1 whose handler waits for the second
// half of the request.
func halfSent(t *testing.T, srv *servertest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := srv.Dial()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", getMetric)
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") { // sent when the handler reads
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "{")
	return conn, r
}

func TestStopLetsUnaryCallsFinish(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{ShutdownTimeout: time.Minute})
	conn, r := halfSent(t, srv)
	srv.Stop()
	servertest.Eventually(t, "new connections are refused", func() bool {
		probe, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Addr)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	})
	fmt.Fprint(conn, "}")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	if err := srv.Wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestStopIsBounded(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{ShutdownTimeout: 300 * time.Millisecond})
	conn, r := halfSent(t, srv)
	start := time.Now()
	if err := srv.Wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if took := time.Since(start); took < 250*time.Millisecond || took > servertest.Patience {
		t.Errorf("the drain took %v, want about 300 ms", took)
	}
	if len(srv.Log.Lines("cut what was still open")) != 1 {
		t.Errorf("the log does not say that calls were cut: %s", srv.Log)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Errorf("%s is still open", conn.RemoteAddr())
	}
}

// A server whose listener fails says so and ends the other listeners too.
func TestListenerFailure(t *testing.T) {
	srv, err := server.New(t.Context(), server.Options{Hostname: "server01", History: store.Options{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	listeners, err := listen.Open(t.Context(), listen.Options{Addresses: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	failed := listeners[0].Addr().String()
	_ = listeners[0].Close()
	if err := srv.Run(t.Context(), listeners...); err == nil || !strings.Contains(err.Error(), "serving on "+failed) {
		t.Errorf("Run: %v", err)
	}
}
