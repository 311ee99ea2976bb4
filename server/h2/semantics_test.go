package h2_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/server/h2"
)

func TestTrailers(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if _, early := r.Trailer["X-Sum"]; !early || r.Trailer.Get("X-Sum") != "" {
			t.Errorf("before the body's end: %v", r.Trailer)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Declared, X-Unset")
		w.Header().Set(http.TrailerPrefix+"X-Early", "set before the header")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Declared", "one")
		w.Header().Set("X-Late", "neither declared nor prefixed")
		w.Header().Set(http.TrailerPrefix+"X-By-Prefix", r.Trailer.Get("X-Sum"))
		w.Header().Set(http.TrailerPrefix+"X-By-Prefix-Bin", "dHdv")
	})
	req := s.request("POST", "/", io.MultiReader(strings.NewReader("hello"))) // of unknown length
	req.Trailer = http.Header{"X-Sum": {"5"}}
	res, body := s.do(req)
	if body != "body" || res.Header.Get("X-Late") != "" {
		t.Errorf("%q, %v", body, res.Header)
	}
	want := http.Header{"X-Declared": {"one"}, "X-Early": {"set before the header"}, "X-By-Prefix": {"5"}, "X-By-Prefix-Bin": {"dHdv"}, "X-Unset": nil}
	if len(res.Trailer) != len(want) {
		t.Errorf("%v, want %v", res.Trailer, want)
	}
	for key, values := range want {
		if !slices.Equal(res.Trailer[key], values) {
			t.Errorf("%s: %q, want %q", key, res.Trailer[key], values)
		}
	}
}

func TestTrailersOnly(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(http.TrailerPrefix+"Grpc-Status", "12") })
	res, body := s.do(s.request("GET", "/", nil))
	if body != "" || res.Trailer.Get("Grpc-Status") != "12" {
		t.Errorf("%q, %v", body, res.Trailer)
	}
}

func TestBodyless(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("Write: %v", err)
			}
		case "/length":
			w.Header().Set("Content-Length", "12345")
		default:
			_, _ = io.WriteString(w, "hello")
		}
	})
	f := func(method, path string, status int, length int64) {
		t.Helper()
		res, body := s.do(s.request(method, path, nil))
		if res.StatusCode != status || res.ContentLength != length || body != "" {
			t.Errorf("%s %s: %s, length %d, %q", method, path, res.Status, res.ContentLength, body)
		}
	}
	f("HEAD", "/", 200, 5)
	f("HEAD", "/length", 200, 12345)
	f("GET", "/204", 204, 0)
}

func TestContentLengthOfResponses(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		if r.URL.Path == "/none" {
			return
		}
		if _, err := io.WriteString(w, "abc"); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/long" {
			if _, err := io.WriteString(w, "defghi"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("more than declared: %v", err)
			}
		}
		if r.URL.Path == "/flushed" {
			_ = http.NewResponseController(w).Flush()
		}
	})
	for _, path := range []string{"/none", "/short", "/flushed", "/long"} {
		res, err := s.client().Do(s.request("GET", path, nil))
		if err != nil {
			continue // reset before its header was sent
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s: a response of 3 bytes that says 5 is whole: %q", path, body)
		}
		_ = res.Body.Close()
	}
}

func TestInformation(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		w.WriteHeader(http.StatusAccepted)
	})
	var got []int
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		got = append(got, code)
		if h.Get("Link") == "" {
			t.Error("no Link")
		}
		return nil
	}}
	req := s.request("GET", "/", nil)
	res, _ := s.do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if res.StatusCode != http.StatusAccepted || !slices.Equal(got, []int{103, 102}) {
		t.Errorf("%s after %v", res.Status, got)
	}
}

func TestContinue(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	f := func(path, want string, status, continued int) {
		t.Helper()
		asked := 0
		trace := &httptrace.ClientTrace{Got100Continue: func() { asked++ }}
		req := s.request("POST", path, strings.NewReader("payload"), "Expect", "100-continue")
		res, body := s.do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		if res.StatusCode != status || body != want || asked != continued {
			t.Errorf("%s: %s %q, asked %d times", path, res.Status, body, asked)
		}
	}
	f("/", "payload", 200, 1)
	f("/refused", "", 403, 0)
}

func TestDeadlines(t *testing.T) {
	result := make(chan error, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/read":
			_ = control.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, err := r.Body.Read(make([]byte, 1))
			result <- err
			_, _ = io.WriteString(w, "late")
		case "/read-while-waiting":
			time.AfterFunc(50*time.Millisecond, func() { _ = control.SetReadDeadline(time.Now()) })
			_, err := r.Body.Read(make([]byte, 1))
			result <- err
		case "/write":
			_ = control.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			var err error
			for err == nil {
				_, err = w.Write(make([]byte, 64<<10))
			}
			result <- err
		}
		_ = control.EnableFullDuplex()
	})
	for _, path := range []string{"/read", "/read-while-waiting", "/write"} {
		pr, pw := io.Pipe()
		go func() {
			res, err := s.client().Do(s.request("POST", path, pr))
			if err == nil {
				t.Cleanup(func() { _ = res.Body.Close() }) // unread until the end
			}
		}()
		select {
		case err := <-result:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the deadline does not end it", path)
		}
		_ = pw.Close()
	}
}

func TestCancellation(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 3)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context()) // one of package context's own over ours
		defer cancel()
		after := make(chan struct{})
		context.AfterFunc(r.Context(), func() { close(after) })
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-ctx.Done()
		<-r.Context().Done()
		<-after
		ended <- r.Context().Err()
		_, err := w.Write([]byte("x"))
		ended <- err
		_, err = r.Body.Read(make([]byte, 1))
		ended <- err
	})
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer func() { _ = pw.Close() }()
	res, err := s.client().Do(s.request("POST", "/", pr).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	<-began
	cancel()
	_ = res.Body.Close() // Go's client says so to the server only now, with a body of its own open
	for i, what := range []string{"the context", "a write", "a read"} {
		select {
		case err := <-ended:
			if err == nil || i == 0 && !errors.Is(err, context.Canceled) {
				t.Errorf("%s after the client's leaving: %v", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s goes on", what)
		}
	}
}

func TestContextEndsWithHandler(t *testing.T) {
	kept := make(chan context.Context, 1)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { kept <- r.Context() })
	s.do(s.request("GET", "/", nil))
	ctx := <-kept
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Error("the context of a request outlives its handler")
	}
}

func TestLateUseIsHarmless(t *testing.T) {
	kept := make(chan http.ResponseWriter, 1)
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { kept <- w })
	s.do(s.request("GET", "/", nil))
	w := <-kept
	s.eventually("writing fails", func() bool { _, err := w.Write([]byte("x")); return err != nil })
	if err := http.NewResponseController(w).Flush(); err == nil {
		t.Error("Flush after the handler's return")
	}
	w.WriteHeader(http.StatusTeapot)
	if !strings.Contains(s.log.String(), "superfluous WriteHeader(418)") {
		t.Errorf("the log says %q", s.log)
	}
}

func TestPanic(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quiet" {
			panic(http.ErrAbortHandler)
		}
		_ = http.NewResponseController(w).Flush()
		panic("a mistake of the handler's")
	})
	for _, path := range []string{"/quiet", "/loud"} {
		res, err := s.client().Do(s.request("GET", path, nil))
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the response is whole", path)
		}
	}
	s.eventually("the panic is logged", func() bool { return strings.Contains(s.log.String(), "a mistake of the handler's") })
	if strings.Count(s.log.String(), "panic serving") != 1 {
		t.Errorf("%s", s.log)
	}
}

// The request is answered before its end; the client is told to stop sending,
// and others on the connection lose nothing by what was on its way.
func TestEarlyResponse(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			_ = r.Body.Close()
			if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("Read after Close: %v", err)
			}
		}
		if r.URL.Path == "/all" {
			n, _ := io.Copy(io.Discard, r.Body)
			if n != 1<<20 {
				t.Errorf("%d bytes", n)
			}
		}
		_, _ = io.WriteString(w, "enough")
	})
	c := s.client()
	for range 20 { // more, in sum, than all windows are
		for _, path := range []string{"/early", "/close", "/all"} {
			res, err := c.Do(s.request("POST", path, bytes.NewReader(make([]byte, 1<<20))))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != "enough" {
				t.Fatalf("%s: %q, %v", path, body, err)
			}
			_ = res.Body.Close()
		}
	}
}

func TestConnectionHooks(t *testing.T) {
	type key struct{}
	var mu sync.Mutex
	var states []http.ConnState
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		value, _ := r.Context().Value(key{}).(string)
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		if value != "base" || server == nil || r.Context().Value(http.LocalAddrContextKey) == nil || r.RemoteAddr == "" || r.TLS != nil {
			t.Errorf("%q, %v, %q", value, server, r.RemoteAddr)
		}
		w.Header().Set("Connection", "close")
	}, func(hs *http.Server, _ *h2.Options) {
		hs.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return context.WithValue(ctx, key{}, "base") }
		hs.ConnState = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, state)
		}
	})
	s.do(s.request("GET", "/", nil))
	want := []http.ConnState{http.StateNew, http.StateActive, http.StateIdle, http.StateActive, http.StateIdle, http.StateClosed}
	s.eventually("the connection is closed, as the handler asked", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(states, want)
	})
}

func TestBaseContextEnds(t *testing.T) {
	base, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	}, func(hs *http.Server, _ *h2.Options) {
		hs.BaseContext = func(net.Listener) context.Context { return base }
	})
	go func() { <-began; cancel() }()
	if res, _ := s.do(s.request("GET", "/", nil)); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
}

// Requests that run when the server is told to stop are answered, and the
// connection is closed after the last.
func TestShutdown(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-finish
		_, _ = io.WriteString(w, "finished")
	})
	p := s.dial()
	p.head(1, true, "GET", "/")
	<-began
	stopped := make(chan error, 1)
	go func() { stopped <- s.hs.Shutdown(context.Background()) }()
	p.until("the word that no more is taken", func(f http2.Frame) bool {
		if ping, ok := f.(*http2.PingFrame); ok { // sent after the word that it stops
			p.ok(p.framer.WritePing(true, ping.Data))
		}
		goAway, ok := f.(*http2.GoAwayFrame)
		return ok && goAway.LastStreamID == 1
	})
	close(finish)
	if status := p.status(1); status != "200" {
		t.Errorf("status %s", status)
	}
	p.until("the whole answer", func(f http2.Frame) bool {
		data, ok := f.(*http2.DataFrame)
		if ok && len(data.Data()) > 0 && string(data.Data()) != "finished" {
			t.Errorf("%q", data.Data())
		}
		return ok && data.StreamEnded()
	})
	p.wantHangup()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("Shutdown does not end")
	}
}

func TestHeaderTooLarge(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(hs *http.Server, _ *h2.Options) { hs.MaxHeaderBytes = 8 << 10 })
	p := s.dial()
	p.head(1, true, "GET", "/", "x-filler", strings.Repeat("x", 10<<10))
	if got := p.status(1); got != "431" {
		t.Errorf("status %s", got)
	}
	p.head(3, true, "GET", "/") // HPACK's state is still in step
	if got := p.status(3); got != "200" {
		t.Errorf("status %s", got)
	}
}

// A new size of the table has to be told before the first field of a block, even
// if that is one that is not kept in it.
func TestTableSizeBeforeTrailers(t *testing.T) {
	told := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-told
		for _, name := range []string{"X-One", "X-Two", "X-Three", "Grpc-Status"} { // sent in any order
			w.Header().Set(http.TrailerPrefix+name, "0")
		}
	})
	for range 8 {
		p := s.dial()
		p.head(1, true, "GET", "/")
		p.status(1)
		p.ok(p.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 100}))
		p.until("the settings' answer", func(f http2.Frame) bool { s, ok := f.(*http2.SettingsFrame); return ok && s.IsAck() })
		told <- struct{}{}
		p.until("the trailers", func(f http2.Frame) bool { _, ok := f.(*http2.HeadersFrame); return ok })
		if p.field("grpc-status") != "0" {
			t.Errorf("%v", p.fields)
		}
		_ = p.conn.Close()
	}
}
