// Package caching says in HTTP which answers may be kept. A service that knows its
// answer can change no more calls [Closed]; answers to GET of all others must not
// be stored.
package caching

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/vitals-rpc/vitals/server/peer"
)

// What Cache-Control says. A day, not for ever: history that is closed is still
// thinned out and forgotten some day, and what a type is called may change.
const (
	live   = "no-store"
	closed = "max-age=86400, immutable"
)

// mostKept is the largest answer that is held back for its ETag; a larger one goes
// without.
const mostKept = 16 << 20

type key struct{}

// Closed says that the answer to the call that ctx belongs to will be the same
// whenever it is asked for again. It does nothing where the call did not come by
// HTTP's GET.
func Closed(ctx context.Context) {
	if mark, ok := ctx.Value(key{}).(*atomic.Bool); ok {
		mark.Store(true)
	}
}

// Handler gives answers to GET their Cache-Control, and those that are [Closed] a
// strong ETag, by which a conditional request is answered with 304. Requests with
// another method pass by untouched.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		mark := &atomic.Bool{}
		kw := &keepingWriter{ResponseWriter: w, request: r, closed: mark}
		next.ServeHTTP(kw, r.WithContext(context.WithValue(r.Context(), key{}, mark)))
		kw.end()
	})
}

// keepingWriter holds back an answer that is closed until it is whole.
type keepingWriter struct {
	http.ResponseWriter
	request *http.Request
	closed  *atomic.Bool

	decided bool
	keeping bool
	body    bytes.Buffer
}

func (w *keepingWriter) WriteHeader(status int) {
	if w.decided || status < http.StatusOK {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.decided = true
	if status == http.StatusOK && w.closed.Load() {
		w.keeping = true
		return
	}
	w.Header().Set("Cache-Control", live)
	w.ResponseWriter.WriteHeader(status)
}

func (w *keepingWriter) Write(p []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if !w.keeping {
		return w.ResponseWriter.Write(p)
	}
	if w.body.Len()+len(p) <= mostKept {
		return w.body.Write(p)
	}
	w.keeping = false
	w.say()
	w.ResponseWriter.WriteHeader(http.StatusOK)
	if _, err := w.body.WriteTo(w.ResponseWriter); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// FlushError implements the flushing that http.ResponseController looks for: what
// is held back is not sent before it is whole.
func (w *keepingWriter) FlushError() error {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.keeping {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *keepingWriter) Flush() { _ = w.FlushError() }

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *keepingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// say sets the headers of a closed answer. One to a caller who says who it is, is
// for that caller alone.
func (w *keepingWriter) say() {
	whose := "public, "
	p, _ := peer.From(w.request.Context())
	if w.request.Header.Get("Authorization") != "" || w.request.Header.Get("Cookie") != "" || p.Certificate != nil {
		whose = "private, "
	}
	w.Header().Set("Cache-Control", whose+closed)
	if !varies(w.Header(), "Accept-Encoding") {
		w.Header().Add("Vary", "Accept-Encoding")
	}
}

func varies(header http.Header, name string) bool {
	for _, line := range header.Values("Vary") {
		for field := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(field), name) {
				return true
			}
		}
	}
	return false
}

// end sends what was held back, or says that the caller has it.
func (w *keepingWriter) end() {
	if !w.keeping {
		return
	}
	w.say()
	sum := sha256.Sum256(w.body.Bytes())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	w.Header().Set("ETag", tag)
	if has(w.request.Header.Values("If-None-Match"), tag) {
		for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
			w.Header().Del(name)
		}
		w.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	w.ResponseWriter.WriteHeader(http.StatusOK)
	_, _ = w.body.WriteTo(w.ResponseWriter) // the caller may be gone
}

// has says whether a condition names the tag (RFC 9110, section 13.1.2), as weakly
// as it may.
func has(conditions []string, tag string) bool {
	for _, line := range conditions {
		for candidate := range strings.SplitSeq(line, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
