package admission

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// callerShards spreads the callers over locks.
const callerShards = 32

// idleAfter is how long a caller without streams is remembered.
const idleAfter = time.Minute

// callers keeps what each caller has used. Callers who come when the table is full share
// one entry, so that an attacker with many names costs no more memory.
type callers struct {
	opts     Options
	seed     maphash.Seed
	perShard int
	shards   *[callerShards]callerShard
}

type callerShard struct {
	mu     sync.Mutex
	by     map[string]*caller
	swept  time.Time
	shared *caller
}

// caller is what one of them has used.
type caller struct {
	calls, bytes *rate.Limiter
	inDebt       atomic.Bool // has been, by bytes
	streams      atomic.Int64
	work         chan struct{} // the calls at work; nil: no bound
	waiting      atomic.Int64  // for a place in work
	heldUntil    atomic.Int64  // nanoseconds since 1970: when the last refusal goes out
	seen         time.Time     // guarded by the shard
}

// Of refusals that are held back.
const (
	// betweenRefusals spaces the refusals of one caller out.
	betweenRefusals = 10 * time.Millisecond
	// longestHold is how long one is kept at the most.
	longestHold = time.Second
)

// hold is how long a refusal is to be kept back that is told now. Who goes over a
// bound by a little hardly notices; the refusals of who calls without pause come
// one every ten milliseconds, until each takes a second. A connection in which one
// request follows the other so makes one a second, and what a refusal costs is no
// longer what the caller can make the server do.
func (c *caller) hold(now time.Time) time.Duration {
	for {
		before := c.heldUntil.Load()
		until := min(max(before, now.UnixNano())+int64(betweenRefusals), now.Add(longestHold).UnixNano())
		if c.heldUntil.CompareAndSwap(before, until) {
			return time.Duration(until - now.UnixNano())
		}
	}
}

func newCallers(opts Options) callers {
	c := callers{opts: opts, seed: maphash.MakeSeed(), shards: new([callerShards]callerShard)}
	c.perShard = max(1, (opts.MaxCallers+callerShards-1)/callerShards)
	if opts.MaxCallers < 0 {
		c.perShard = int(^uint(0) >> 1)
	}
	for i := range c.shards {
		c.shards[i].by = map[string]*caller{}
		c.shards[i].shared = c.newCaller()
	}
	return c
}

func (c *callers) newCaller() *caller {
	made := &caller{
		calls: rate.NewLimiter(rate.Limit(c.opts.CallsPerSecond), 2*c.opts.CallsPerSecond),
		bytes: rate.NewLimiter(rate.Limit(c.opts.BytesPerSecond), 4*c.opts.BytesPerSecond),
	}
	if c.opts.CallsAtWorkPerCaller > 0 {
		made.work = make(chan struct{}, c.opts.CallsAtWorkPerCaller)
	}
	return made
}

func (c *callers) get(name string) *caller {
	now := time.Now()
	s := &c.shards[maphash.String(c.seed, name)%callerShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.by[name]; got != nil {
		got.seen = now
		return got
	}
	if len(s.by) >= c.perShard || now.Sub(s.swept) > idleAfter {
		s.sweep(now)
	}
	if len(s.by) >= c.perShard {
		return s.shared
	}
	made := c.newCaller()
	made.seen = now
	s.by[name] = made
	return made
}

// sweep forgets who has not been seen for a while; at most once a second, so that
// a full table does not cost a walk a call.
func (s *callerShard) sweep(now time.Time) {
	if now.Sub(s.swept) < time.Second {
		return
	}
	s.swept = now
	for name, c := range s.by {
		if c.streams.Load() == 0 && len(c.work) == 0 && now.Sub(c.seen) > idleAfter {
			delete(s.by, name)
		}
	}
}

func (c *callers) len() (n int) {
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += len(c.shards[i].by)
		c.shards[i].mu.Unlock()
	}
	return n
}
