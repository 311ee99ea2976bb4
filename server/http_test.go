package server

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// lateWriter is a response whose writes take as long as the deadline, so that
// the timer fires just as the handler returns. As net/http does, it cannot bear
// to be used after that.
type lateWriter struct {
	*httptest.ResponseRecorder
	wait  time.Duration
	over  atomic.Bool
	wrong *atomic.Int32
}

func (w *lateWriter) Write(p []byte) (int, error) {
	for start := time.Now(); time.Since(start) < w.wait; { // to the microsecond, which no timer is
	}
	return len(p), nil
}

func (w *lateWriter) SetWriteDeadline(time.Time) error {
	if w.over.Load() {
		w.wrong.Add(1)
	}
	return nil
}

// A response must not be touched once its handler has returned: in HTTP/2 that
// is a panic outside of any handler, which ends the process.
func TestDeadlineNeverOutlivesHandler(t *testing.T) {
	const timeout = 200 * time.Microsecond
	var wrong atomic.Int32
	handler := sendDeadline(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	}), timeout)
	for i := range 2000 {
		w := &lateWriter{ResponseRecorder: httptest.NewRecorder(), wait: timeout + time.Duration(i%20)*5*time.Microsecond, wrong: &wrong}
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		w.over.Store(true)
	}
	time.Sleep(10 * timeout) // no hope: the longer this is, the more mistakes it could see
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d responses were used after their handler had returned", n)
	}
}
