package h2_test

import (
	"net/http"
	"testing"
	"time"
)

// TestHoldBack has a handler hold its connection back: nothing that comes by it is
// handled before that is over, and what comes by another is.
func TestHoldBack(t *testing.T) {
	const hold = 400 * time.Millisecond
	arrived := map[string]chan time.Time{"/hold": make(chan time.Time, 1), "/held": make(chan time.Time, 1), "/other": make(chan time.Time, 1)}
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		arrived[r.URL.Path] <- time.Now()
		if r.URL.Path == "/hold" {
			w.(interface{ HoldBack(d time.Duration) }).HoldBack(hold)
		}
	})
	p, other := s.dial(), s.dial()
	p.head(1, true, "POST", "/hold")
	if status := p.status(1); status != "200" {
		t.Fatalf("the answer is %s", status)
	}
	held := <-arrived["/hold"]
	p.head(3, true, "POST", "/held")
	other.head(1, true, "POST", "/other")
	if status := other.status(1); status != "200" {
		t.Errorf("over another connection the answer is %s", status)
	}
	if status := p.status(3); status != "200" {
		t.Errorf("afterwards the answer is %s", status)
	}
	if after := (<-arrived["/held"]).Sub(held); after < hold {
		t.Errorf("the next request was handled after %s, within the %s", after, hold)
	}
}
