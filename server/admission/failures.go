package admission

import (
	"sync"
	"sync/atomic"
	"time"
)

// Of failed logins.
const (
	// freeFailures are those of people who mistype.
	freeFailures = 5
	firstPause   = time.Second
	longestPause = time.Minute
	// mostFailing is how many callers are remembered; at more the oldest go.
	mostFailing = 10_000
)

// Failures slows down those who guess: after five failed logins in a row the next
// try has to wait a second, and twice as long after each further one, up to a
// minute. A try counts as failed from its beginning, so that of many at once no
// more are let through than of as many one after the other. The zero value is
// ready to use, by many goroutines.
type Failures struct {
	mu    sync.Mutex
	by    map[string]*failing
	swept time.Time

	refused atomic.Int64
}

type failing struct {
	count int
	last  time.Time
	until time.Time
}

// Try notes a try, as one that fails; Succeeded or TakeBack end it otherwise.
//
// Errors: *[RefusedError] while this caller has to wait before it may try again.
// Such a try does not count.
func (f *Failures) Try(name string) error {
	wait := f.try(name, time.Now())
	if wait <= 0 {
		return nil
	}
	f.refused.Add(1)
	return &RefusedError{Reason: TooManyFailures, RetryAfter: wait}
}

// Refused returns how many tries were refused.
func (f *Failures) Refused() int64 { return f.refused.Load() }

// try returns how long the caller has to wait, or 0 for a try that is noted.
func (f *Failures) try(name string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.by[name]
	if c != nil && now.Before(c.until) {
		return c.until.Sub(now)
	}
	if c == nil || now.Sub(c.last) > 2*longestPause {
		if f.by == nil {
			f.by = map[string]*failing{}
		}
		f.makeRoom(now)
		c = &failing{}
		f.by[name] = c
	}
	c.count++
	c.last = now
	if over := c.count - freeFailures; over >= 0 {
		c.until = now.Add(min(longestPause, firstPause<<min(over, 10)))
	}
	return 0
}

// makeRoom forgets who has been quiet, or, where all are at it, whoever comes to
// hand: an attacker with that many addresses is not slowed by this anyway.
func (f *Failures) makeRoom(now time.Time) {
	if len(f.by) < mostFailing {
		return
	}
	if now.Sub(f.swept) > time.Second {
		f.swept = now
		for name, c := range f.by {
			if now.Sub(c.last) > longestPause {
				delete(f.by, name)
			}
		}
	}
	for name := range f.by {
		if len(f.by) < mostFailing {
			return
		}
		delete(f.by, name)
	}
}

// TakeBack undoes a try that came to nothing, such as one that was given up before
// the password was looked at.
func (f *Failures) TakeBack(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.by[name]
	if c == nil {
		return
	}
	c.until = time.Time{}
	if c.count--; c.count == 0 {
		delete(f.by, name)
	}
}

// Succeeded forgets the caller's failures.
func (f *Failures) Succeeded(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.by, name)
}
