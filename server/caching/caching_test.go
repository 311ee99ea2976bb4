package caching_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/caching"
)

func TestWhoseAnswer(t *testing.T) {
	handler := caching.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caching.Closed(r.Context())
		_, _ = io.WriteString(w, "the answer")
	}))
	f := func(want, header, value string) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if control := w.Header().Get("Cache-Control"); !strings.HasPrefix(control, want+", max-age=") || w.Body.String() != "the answer" {
			t.Errorf("%s: %s: %q, %q; want %s", header, value, control, w.Body, want)
		}
	}
	f("public", "Accept", "*/*")
	f("private", "Authorization", "Bearer abc")
	f("private", "Cookie", "session=abc")
}
