package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/transport/transporttest"
)

// TestStalledBodies has many callers whose requests never end: they take no place
// at work, others are served, and after a while they are sent away.
func TestStalledBodies(t *testing.T) {
	t.Parallel()
	const stalled = 20
	opts := server.Options{ReadTimeout: time.Second, Admission: admission.Options{CallsAtWork: 2}}
	srv := servertest.NewSeeded(t, opts)
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		f := func(path, contentType, sent string) {
			t.Helper()
			var attackers sync.WaitGroup
			for range stalled {
				attackers.Go(func() {
					body, rest := io.Pipe()
					defer rest.Close()
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, io.MultiReader(strings.NewReader(sent), body))
					if err != nil {
						t.Error(err)
						return
					}
					req.ContentLength = 1000
					req.Header.Set("Content-Type", contentType)
					res, err := c.Do(req)
					if err != nil {
						return // cut, which is as good
					}
					defer res.Body.Close()
					text, _ := io.ReadAll(res.Body) // it may be cut
					_ = rest.Close()                // or closing the answer waits for it
					if strings.Contains(string(text), "error") || strings.Contains(string(text), "fault") {
						return // told so in the answer's own way
					}
					status, _ := grpcStatus(answer{status: res.StatusCode, header: res.Header, trailer: res.Trailer, body: string(text)})
					if res.StatusCode == http.StatusOK && status == "0" {
						t.Errorf("%s: half a request was answered: %s", contentType, text)
					}
				})
			}
			for range 5 {
				if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
					t.Errorf("beside stalled bodies: %d %s", got.status, got.body)
				}
			}
			attackers.Wait() // they are let go, or the test does not end
		}
		f(getMetric, "application/json", "{")
		f(getMetric, "application/grpc-web", "\x00\x00\x00\x00\x20ab")
		f("/jsonrpc", "application/json", "{")
		f("/RPC2", "text/xml", "<methodCall>")
	})
	servertest.Eventually(t, "nobody else is at work", func() bool {
		return gauge(t, srv, "vitals_calls_at_work") == 1 // who asks is
	})
}

// TestSilentReporter opens a client's stream, says nothing, and is sent away.
func TestSilentReporter(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{ReadTimeout: 50 * time.Millisecond})
	for i, conn := range servertest.Connections() {
		t.Run(conn.Name, func(t *testing.T) {
			stream, err := srv.Client(conn).Diagnostics().Sum(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(&diagnosticsv1.SumRequest{Number: 1}); err != nil {
				t.Fatal(err)
			}
			servertest.Eventually(t, "the stream is ended", func() bool { return len(srv.Log.Lines("DiagnosticsService/Sum", "code=deadline_exceeded")) == i+1 })
			if _, err := stream.CloseAndReceive(); err == nil {
				t.Error("half a stream was answered")
			}
		})
	}
}

// TestOwnShareOfWork has one caller's call take all the work that it may have: its
// next one waits, and another's is answered.
func TestOwnShareOfWork(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	files := []protoreflect.FileDescriptor{transporttest.Parse(t, `name: "test/slow.proto" package: "test" syntax: "proto3" message_type { name: "None" }
		service { name: "Slow" method { name: "Call" input_type: ".test.None" output_type: ".test.None" } }`)}
	srv := servertest.NewSeeded(t, server.Options{
		Admission: admission.Options{CallsAtWorkPerCaller: 1, Wait: time.Hour},
		Roles:     map[string]account.Role{"/test.Slow/Call": account.Anyone},
		Services: func(calls *connect.Server) {
			transporttest.Register(calls, files, func(protoreflect.MethodDescriptor, *dynamicpb.Message, *dynamicpb.Message) error {
				close(started)
				<-release
				return nil
			})
		},
	})
	here, there := &http.Client{Transport: elsewhere(t, "127.0.0.2", true)}, &http.Client{Transport: elsewhere(t, "127.0.0.3", true)}
	var calls sync.WaitGroup
	call := func(path string) {
		if got := send(t, here, http.MethodPost, srv.URL+path, "{}", asJSON); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	calls.Go(func() { call("/test.Slow/Call") })
	<-started
	waits := func() bool { return running("admission.(*Gate).waitForOwn(") == 1 }
	calls.Go(func() { call(getMetric) })
	servertest.Eventually(t, "its next call waits", waits)
	for range 10 {
		if got := send(t, there, http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
			t.Errorf("another caller: %d %s", got.status, got.body)
		}
	}
	if !waits() {
		t.Error("its next call waits no longer")
	}
	close(release)
	calls.Wait()
}

// TestStalledBodiesKeepNoPlace is TestStalledBodies for a caller with one place: the
// rest of its calls is answered beside bodies that it does not end.
func TestStalledBodiesKeepNoPlace(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsAtWorkPerCaller: 1}})
	for _, overHTTP2 := range []bool{false, true} {
		c := &http.Client{Transport: elsewhere(t, "127.0.0.2", overHTTP2)}
		for _, path := range []string{getMetric, "/jsonrpc", "/RPC2", "/session"} {
			ctx, cancel := context.WithCancel(t.Context())
			body, rest := io.Pipe()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, io.MultiReader(strings.NewReader(`{"a":`), body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if path == "/RPC2" {
				req.Header.Set("Content-Type", "text/xml")
			}
			req.ContentLength = 1000
			var stalled sync.WaitGroup
			stalled.Go(func() {
				if res, err := c.Do(req); err == nil {
					t.Errorf("%s: half a request was answered: %s", path, res.Status)
					_ = res.Body.Close()
				}
			})
			servertest.Eventually(t, "its body is waited for", func() bool { return running("interceptor.(*Request).Read(") == 1 })
			for range 3 {
				if got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
					t.Errorf("beside a stalled body at %s: %d %s", path, got.status, got.body)
				}
			}
			cancel()
			_ = rest.Close()
			stalled.Wait()
		}
	}
}

// TestUnreadAnswersKeepNoPlace asks for answers and reads none, until the server
// waits for that: the one place at work is free all the same.
func TestUnreadAnswersKeepNoPlace(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Admission: admission.Options{CallsAtWork: 1}})
	conn := srv.Dial()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 2000)); err != nil {
		t.Fatal(err)
	}
	stuck := func() bool { return running("interceptor.(*heldAnswer).send(") == 1 }
	for range 100 { // until it has been seen stuck that often, and does not move
		servertest.Eventually(t, "the answers are not taken", stuck)
	}
	for range 10 {
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != http.StatusOK {
			t.Errorf("beside answers that nobody reads: %d %s", got.status, got.body)
		}
	}
}
