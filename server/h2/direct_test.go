package h2_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/h2"
)

// directly is an h2.Direct.
type directly func(s *h2.Stream) bool

func (f directly) ServeStream(s *h2.Stream) bool { return f(s) }

func withDirect(f directly) func(*http.Server, *h2.Options) {
	return func(_ *http.Server, o *h2.Options) { o.Direct = f }
}

func elsewhere(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the handler") }

// TestDirect answers below net/http, and leaves what it does not want.
func TestDirect(t *testing.T) {
	s := start(t, elsewhere, withDirect(func(st *h2.Stream) bool {
		if !strings.HasPrefix(st.Path(), "/direct") {
			return false
		}
		body, err := io.ReadAll(st)
		said := ""
		for _, f := range st.Fields() {
			if f.Name == "x-said" {
				said = f.Value
			}
		}
		if err != nil || st.Method() != http.MethodPost || st.Authority() == "" || st.RemoteAddr() == "" || st.TLS() != nil || st.Context().Err() != nil || st.ContentLength() != 5 {
			return false
		}
		st.Header(h2.Field{Name: "x-said", Value: said}, h2.Field{Name: "X-Upper", Value: "never sent"}, h2.Field{Name: "x-bad", Value: "a\nb"})
		if _, err := st.Write(append(body, '!')); err != nil {
			t.Error(err)
		}
		if st.Path() == "/direct/flushed" {
			if err := st.Flush(); err != nil {
				t.Error(err)
			}
			if err := st.Send([]byte("more")); err != nil {
				t.Error(err)
			}
		}
		st.End(h2.Field{Name: "x-end", Value: "1"}, h2.Field{Name: "X-Bad", Value: "2"})
		return true
	}))
	f := func(path, want string) {
		t.Helper()
		res, body := s.do(s.request(http.MethodPost, path, strings.NewReader("hello"), "X-Said", "a"))
		if body != want || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
		if want == "the handler" {
			return
		}
		if res.Header.Get("X-Said") != "a" || res.Header.Get("Date") == "" || res.Trailer.Get("X-End") != "1" || len(res.Header)+len(res.Trailer) != 3 {
			t.Errorf("%s: header %v, trailer %v", path, res.Header, res.Trailer)
		}
	}
	f("/direct", "hello!")
	f("/direct/flushed", "hello!more")
	f("/other", "the handler")
}

// TestDirectPanics costs a stream of its own, and so does one that nobody ends.
func TestDirectPanics(t *testing.T) {
	s := start(t, elsewhere, withDirect(func(st *h2.Stream) bool {
		switch st.Path() {
		case "/panic":
			panic("no reason")
		case "/unended":
			st.Header()
			return true
		}
		return false
	}))
	client := s.client()
	for _, path := range []string{"/panic", "/unended"} {
		res, err := client.Do(s.request(http.MethodGet, path, nil))
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if !strings.Contains(s.log.String(), "no reason") {
		t.Errorf("the log says %q", s.log)
	}
	if _, body := s.do(s.request(http.MethodGet, "/", nil)); body != "the handler" {
		t.Errorf("afterwards: %q", body)
	}
}

// TestDirectReadTimeout bounds the waiting for a body, and only that.
func TestDirectReadTimeout(t *testing.T) {
	result := make(chan error, 1)
	s := start(t, elsewhere, withDirect(func(st *h2.Stream) bool {
		var p [1]byte
		st.SetReadTimeout(time.Minute)
		_, err := st.Read(p[:])
		st.SetReadTimeout(20 * time.Millisecond)
		if err == nil {
			_, err = st.Read(p[:])
		}
		result <- err
		st.Header()
		st.End()
		return true
	}))
	body, write := io.Pipe()
	go func() { _, _ = write.Write([]byte("a")) }()
	res, err := s.client().Do(s.request(http.MethodPost, "/", body))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	_ = write.Close()
	if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second byte: %v", err)
	}
}
