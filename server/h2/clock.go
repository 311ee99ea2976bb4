package h2

import "time"

var epoch = time.Now()

// instant is a moment on the monotonic clock, in nanoseconds since the program
// began: half the size of a time.Time, and compared with <. Zero is never.
type instant int64

func now() instant { return instant(time.Since(epoch)) }

func (i instant) add(d time.Duration) instant { return i + instant(d) }

// since is how long ago i was.
func (i instant) since(at instant) time.Duration { return time.Duration(i - at) }

// at converts a deadline of http.ResponseController; the zero time is none.
func at(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return max(1, now().add(time.Until(t)))
}

// passed reports whether a deadline is over.
func (i instant) passed() bool { return i != 0 && now() >= i }
