package h2_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/h2"
)

// patience bounds every wait for what ought to come soon.
const patience = 15 * time.Second

// server is an http.Server on a loopback port that speaks HTTP/2 by this package.
type server struct {
	t    *testing.T
	hs   *http.Server
	h2   *h2.Server
	addr string
	url  string
	log  *logged
}

// logged is an ErrorLog that a test can look at.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start serves the handler until the test ends; set changes the server before.
func start(t *testing.T, handler http.HandlerFunc, set ...func(*http.Server, *h2.Options)) *server {
	t.Helper()
	s := &server{t: t, log: &logged{}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.hs = &http.Server{Handler: handler, Protocols: protocols, ErrorLog: log.New(s.log, "", 0), HTTP2: &http.HTTP2Config{}}
	opts := h2.Options{Linger: 200 * time.Millisecond}
	for _, f := range set {
		f(s.hs, &opts)
	}
	var err error
	if s.h2, err = h2.Configure(s.hs, opts); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.url = "http://" + s.addr
	done := make(chan error, 1)
	go func() { done <- s.hs.Serve(l) }()
	t.Cleanup(func() {
		_ = s.hs.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		s.eventually("no connection is left", func() bool { return s.h2.Connections() == 0 })
	})
	return s
}

func (s *server) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// client is Go's own, which speaks nothing but HTTP/2.
func (s *server) client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true, ExpectContinueTimeout: patience}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}

func (s *server) request(method, path string, body io.Reader, header ...string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

// do sends a request and reads the whole answer.
func (s *server) do(req *http.Request) (*http.Response, string) {
	s.t.Helper()
	res, err := s.client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", req.URL.Path, err)
	}
	return res, string(body)
}

func TestRequestAndResponse(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Uri", r.RequestURI)
		w.Header().Set("X-Query", r.URL.Query().Get("q"))
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Cookie", strings.Join(r.Header["Cookie"], "|"))
		_, _ = io.WriteString(w, "got "+string(body))
	})
	res, body := s.do(s.request("POST", "/a/b%20c?q=x+y", strings.NewReader("hello"), "Cookie", "a=b; c=d"))
	if res.StatusCode != http.StatusOK || body != "got hello" || res.ContentLength != 9 {
		t.Errorf("%s, %q, length %d", res.Status, body, res.ContentLength)
	}
	for key, want := range map[string]string{
		"X-Method": "POST", "X-Uri": "/a/b%20c?q=x+y", "X-Query": "x y", "X-Proto": "HTTP/2.0", "X-Cookie": "a=b; c=d",
		"Content-Type": "text/plain; charset=utf-8",
	} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if _, err := http.ParseTime(res.Header.Get("Date")); err != nil {
		t.Error(err)
	}
}

func TestLargeBodies(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB: many windows
	var all sync.WaitGroup
	c := s.client()
	for range 8 {
		all.Go(func() {
			res, err := c.Do(s.request("POST", "/", bytes.NewReader(big)))
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			got, err := io.ReadAll(res.Body)
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("%d bytes came back of %d: %v", len(got), len(big), err)
			}
		})
	}
	all.Wait()
}

func TestStreaming(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				_, _ = w.Write(buf[:n])
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
			}
			if err != nil {
				return
			}
		}
	})
	pr, pw := io.Pipe()
	res, err := s.client().Do(func() *http.Request {
		go func() { _, _ = pw.Write([]byte("first")) }()
		return s.request("POST", "/", pr)
	}())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for _, word := range []string{"first", "second", "third"} {
		if word != "first" {
			_, _ = pw.Write([]byte(word))
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != word {
			t.Fatalf("%q, %v; want %q", got, err, word)
		}
	}
	_ = pw.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}
