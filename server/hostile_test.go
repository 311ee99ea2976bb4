package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// wantAlive makes sure that the server still answers others.
func wantAlive(t *testing.T, srv *servertest.Server) {
	t.Helper()
	for _, c := range []*http.Client{srv.HTTP1(), srv.HTTP2()} {
		if got := send(t, c, http.MethodPost, srv.URL+getMetric, "{}", asJSON); got.status != 200 {
			t.Fatalf("the server answers no more: %d %s", got.status, got.body)
		}
	}
}

func TestGarbageOnTheConnection(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{ReadHeaderTimeout: time.Second})
	f := func(what, sent, want string) {
		t.Helper()
		conn := srv.Dial()
		_, err := io.WriteString(conn, sent)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		got, err := io.ReadAll(conn)
		if err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the server neither answers nor hangs up: %v", what, err)
		}
		if !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	f("a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+strings.Repeat("\x00", 600)+"\r\n\r\n", "HTTP/1.")
	f("binary noise", strings.Repeat("\x00\xff", 512)+"\r\n\r\n", "HTTP/1.1 400")
	f("no host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400")
	f("two lengths", "POST "+getMetric+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 400")
	f("a negative length", "POST "+getMetric+" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400")
	f("smuggling", "POST "+getMetric+" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "HTTP/1.1 501")
	f("a head too large", "GET / HTTP/1.1\r\nHost: x\r\nX-Filler: "+strings.Repeat("x", 1<<20)+"\r\n\r\n", "HTTP/1.1 431")
	f("a path too large", "GET /"+strings.Repeat("x", 1<<20)+" HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 431")
	f("half a head", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow", "")
	f("nothing", "", "")
	f("half a preface", http2.ClientPreface[:10], "")
	f("a wrong preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "")
	wantAlive(t, srv)
}

func TestMalformedFrames(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	f := func(what, contentType, body, grpcCode string) {
		t.Helper()
		got := send(t, srv.HTTP2(), http.MethodPost, srv.URL+getMetric, body, "Content-Type: "+contentType, "Te: trailers")
		if code, message := grpcStatus(got); code != grpcCode {
			t.Errorf("%s over %s: status %q %q, want %s", what, contentType, code, message, grpcCode)
		}
	}
	for _, contentType := range []string{"application/grpc", "application/grpc-web"} {
		const invalid, exhausted, unimplemented, internal = "3", "8", "12", "13"
		f("half a head", contentType, "\x00\x00", internal)
		f("less than was said", contentType, "\x00\x00\x00\x00\x10abc", internal)
		f("no protobuf", contentType, "\x00\x00\x00\x00\x03\xff\xff\xff", invalid)
		f("four gigabytes said", contentType, "\x00\xff\xff\xff\xffabc", exhausted)
		f("compressed without saying how", contentType, "\x01\x00\x00\x00\x03abc", internal)
		f("nothing at all", contentType, "", unimplemented)
		f("two messages", contentType, envelope(0, "")+envelope(0, ""), unimplemented)
	}
	for _, body := range []string{"", "\x00\x00", envelope(0, "no JSON"), envelope(7, "{}"), envelope(0, "{}") + envelope(0, "{}"), "\x00\xff\xff\xff\xff{}"} {
		got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+streamMetrics, body, "Content-Type: application/connect+json")
		if got.status != 200 || !strings.Contains(got.body, `"error":{"code":"`) {
			t.Errorf("Connect stream of %q: %d %q", body, got.status, got.body)
		}
	}
	wantNoStreams(t, srv)
	wantAlive(t, srv)
}

// Callers whose machine loses power, or who pull the plug on purpose.
func TestAbandonedStreams(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for i := range 20 {
		peer := newRawPeer(t, srv)
		for stream := uint32(1); stream < 11; stream += 2 {
			peer.request(stream, streamMetrics, "application/grpc", envelope(0, ""))
		}
		peer.until("a sample", func(f http2.Frame) bool { _, ok := f.(*http2.DataFrame); return ok })
		switch i % 3 {
		case 0:
			_ = peer.conn.Close()
		case 1:
			for stream := uint32(1); stream < 11; stream += 2 {
				peer.must(peer.framer.WriteRSTStream(stream, http2.ErrCodeCancel))
			}
		default:
			peer.write("garbage that is no frame at all, long enough to be taken for one")
			peer.wantHangup()
		}
	}
	for range 10 {
		conn := srv.Dial()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n%s", streamMetrics, envelope(0, "{}"))
		if _, err := bufio.NewReader(conn).ReadString('{'); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	wantNoStreams(t, srv)
	wantAlive(t, srv)
}

// A request whose body never ends is one connection's matter.
func TestHalfOpenRequests(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for range 50 {
		halfSent(t, srv)
	}
	peer := newRawPeer(t, srv)
	for stream := uint32(1); stream < 100; stream += 2 {
		peer.head(stream, false, getMetric, "content-type", "application/json")
	}
	wantAlive(t, srv)
}

// Opening and resetting calls in a row is cheap for the caller and must not be
// dear for the server.
func TestRapidReset(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	peer := newRawPeer(t, srv)
	go func() { _, _ = io.Copy(io.Discard, peer.conn) }()
	for stream := uint32(1); stream < 4000; stream += 2 {
		var block bytes.Buffer
		block.WriteString("\x83\x86\x84\x41\x01x") // POST, http, /, authority x
		err := peer.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
		if err == nil {
			err = peer.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
		if err != nil {
			break // the server has had enough, which is as well
		}
	}
	wantAlive(t, srv)
	_ = peer.conn.Close()
}

func TestOddHeaders(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		for _, header := range []string{
			"Grpc-Timeout: 99999999999999H", "Grpc-Timeout: -1S", "Grpc-Timeout: x", "Connect-Timeout-Ms: -5",
			"Connect-Timeout-Ms: 99999999999999999999", "Accept-Encoding: " + strings.Repeat("gzip,", 5000),
			"Content-Encoding: gzip, gzip", "X-Request-Id: " + strings.Repeat("a", 30_000), "Host: evil.example.com",
			"Origin: " + strings.Repeat("x", 10_000), "Authorization: Bearer " + strings.Repeat("y", 10_000),
			"X-Bin-Bin: !!!!not base64!!!!", "Content-Length: 7", "Cookie: " + strings.Repeat("a=b; ", 200),
		} {
			for _, contentType := range []string{"application/json", "application/grpc", "application/grpc-web+proto", "application/connect+json"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+getMetric, strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				name, value, _ := strings.Cut(header, ": ")
				req.Header.Set("Content-Type", contentType)
				req.Header.Set(name, value)
				res, err := c.Do(req)
				if err != nil {
					t.Errorf("%.40s over %s: %v", header, contentType, err)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode == http.StatusInternalServerError {
					t.Errorf("%.40s over %s: %s", header, contentType, res.Status)
				}
			}
		}
		wantAlive(t, srv)
	})
	if lines := srv.Log.Lines("level=ERROR"); len(lines) > 0 {
		t.Errorf("what a caller does wrong is logged as the server's error: %s", lines)
	}
}

// A page that panics costs its own answer and nothing else.
func TestPanickingPage(t *testing.T) {
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a mistake in the page") })
	srv := servertest.NewSeeded(t, server.Options{Page: page})
	for _, c := range []*http.Client{srv.HTTP1(), srv.HTTP2()} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := c.Do(req); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s", res.Status)
		}
	}
	wantAlive(t, srv)
}
