// Package admission bounds what callers may take of the server: each of them by a
// rate of calls, a number of open streams, a rate of bytes and a share of the
// places at work, and all of them together by the unary calls that are at work at
// once and by memory. Whoever is refused is told when to come back, and is not told
// so at once, or it could do nothing but be refused. It knows no RPC and no HTTP;
// who the callers are is for others to say, by a name or an address.
package admission

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Defaults of [Options].
const (
	DefaultCallsPerSecond   = 1_000
	DefaultStreamsPerCaller = 2_000
	DefaultBytesPerSecond   = 64 << 20
	DefaultCallsAtWork      = 256
	DefaultWait             = time.Second
	DefaultMaxCallers       = 50_000
)

// DefaultCallsAtWorkPerCaller is that of [Options].
func DefaultCallsAtWorkPerCaller() int { return 2 * runtime.GOMAXPROCS(0) }

// Options bounds a [Gate]. The zero value of each field means its default; less
// than zero means no bound.
type Options struct {
	// CallsPerSecond is how many calls a caller may begin a second, for long;
	// twice as many may come at once. Default 1,000.
	CallsPerSecond int
	// StreamsPerCaller is how many streams a caller may have open. Default 2,000.
	StreamsPerCaller int
	// BytesPerSecond is how many bytes of messages a caller may send a second,
	// for long; four times as many may come at once. Default 64 MiB.
	BytesPerSecond int
	// CallsAtWork is how many unary calls may be at work at once, from the moment
	// that their request has been read. Default 256.
	CallsAtWork int
	// CallsAtWorkPerCaller is how many of these places one caller may have; what
	// it calls beyond waits, and no one else does. Default: two for each processor
	// that the program may use, which keeps them busy, and another's short call
	// does not wait long for one of them.
	CallsAtWorkPerCaller int
	// Wait is how long a unary call waits for a place that other callers have; ten
	// times that for one that its own caller's calls have. Default 1 s.
	Wait time.Duration
	// MaxMemory is the memory, in bytes of live heap, above which new calls are
	// refused. Default: none.
	MaxMemory int64
	// MaxCallers is how many callers are told apart; further ones share their
	// bounds. Default 50,000.
	MaxCallers int
}

func (o Options) withDefaults() Options {
	setDefault(&o.CallsPerSecond, DefaultCallsPerSecond)
	setDefault(&o.StreamsPerCaller, DefaultStreamsPerCaller)
	setDefault(&o.BytesPerSecond, DefaultBytesPerSecond)
	setDefault(&o.CallsAtWork, DefaultCallsAtWork)
	setDefault(&o.CallsAtWorkPerCaller, DefaultCallsAtWorkPerCaller())
	setDefault(&o.Wait, DefaultWait)
	setDefault(&o.MaxCallers, DefaultMaxCallers)
	return o
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Reason says which bound refused a caller.
type Reason string

// The reasons.
const (
	TooManyCalls   Reason = "calls"
	TooManyStreams Reason = "streams"
	TooManyBytes   Reason = "bytes"
	TooMuchWork    Reason = "work"
	// TooMuchOwnWork is that the caller's own calls have all places that it may
	// have.
	TooMuchOwnWork Reason = "own_work"
	TooMuchMemory  Reason = "memory"
	// TooManyFailures is of [Failures], not of a [Gate].
	TooManyFailures Reason = "logins"
)

// Reasons are those of a [Gate].
func Reasons() []Reason {
	return []Reason{TooManyCalls, TooManyStreams, TooManyBytes, TooMuchWork, TooMuchOwnWork, TooMuchMemory}
}

// RefusedError says that a bound is reached.
type RefusedError struct {
	// Reason is the bound.
	Reason Reason
	// Limit is its value.
	Limit int
	// RetryAfter is when to try again.
	RetryAfter time.Duration
	// Hold is how long the answer is to be kept back, up to a second.
	Hold time.Duration
}

func (e *RefusedError) Error() string {
	again := fmt.Sprintf("try again in %s", e.RetryAfter.Round(time.Millisecond))
	switch e.Reason {
	case TooManyCalls:
		return fmt.Sprintf("you call more than %d times a second; %s, or ask for several series in one call", e.Limit, again)
	case TooManyStreams:
		return fmt.Sprintf("you have %d streams open, which is the most for one caller; ask for several series over one stream", e.Limit)
	case TooManyBytes:
		return fmt.Sprintf("you send more than %d bytes a second; %s", e.Limit, again)
	case TooMuchWork:
		return fmt.Sprintf("the server works on %d calls, its most; %s", e.Limit, again)
	case TooMuchOwnWork:
		return fmt.Sprintf("the server works on %d of your calls, the most for one caller; %s, or wait for answers before you call again", e.Limit, again)
	case TooManyFailures:
		return fmt.Sprintf("too many logins have failed; %s", again)
	default:
		return fmt.Sprintf("the server is short of memory and takes no new calls; %s", again)
	}
}

// Gate lets callers in. Make one with [New]; its methods are safe for concurrent
// use. A caller without a name has no bounds of its own.
type Gate struct {
	opts    Options
	callers callers
	work    chan struct{}
	memory  memory

	refused map[Reason]*atomic.Int64 // filled once
}

// New makes a gate.
func New(opts Options) *Gate {
	opts = opts.withDefaults()
	g := &Gate{opts: opts, callers: newCallers(opts), refused: map[Reason]*atomic.Int64{}}
	if opts.CallsAtWork > 0 {
		g.work = make(chan struct{}, opts.CallsAtWork)
	}
	for _, reason := range Reasons() {
		g.refused[reason] = new(atomic.Int64)
	}
	return g
}

// Refused returns how many calls a bound has refused.
func (g *Gate) Refused(reason Reason) int64 { return g.refused[reason].Load() }

// AtWork returns how many unary calls are at work.
func (g *Gate) AtWork() int { return len(g.work) }

// Callers returns how many callers are told apart at the moment.
func (g *Gate) Callers() int { return g.callers.len() }

// Caller is one caller at the gate, for the time of a call.
type Caller struct {
	gate *Gate
	*caller
}

// Caller returns the one of that name. One without a name has no bounds of its own.
func (g *Gate) Caller(name string) Caller {
	if name == "" {
		return Caller{gate: g}
	}
	return Caller{g, g.callers.get(name)}
}

// HasBounds reports whether there are any of the caller's own.
func (c Caller) HasBounds() bool { return c.caller != nil }

// Arrive lets a call begin, or refuses it with a *[RefusedError]: also one whose
// caller has sent more bytes than it may, before there are more.
func (c Caller) Arrive() error {
	g := c.gate
	if g.opts.MaxMemory > 0 && g.memory.used() > g.opts.MaxMemory {
		return g.refuse(nil, TooMuchMemory, int(g.opts.MaxMemory), time.Second)
	}
	if !c.HasBounds() {
		return nil
	}
	now := time.Now()
	if c.inDebt.Load() && c.bytes.TokensAt(now) < 0 {
		return g.refuse(c.caller, TooManyBytes, g.opts.BytesPerSecond, until(c.bytes, 0, now))
	}
	if g.opts.CallsPerSecond < 0 || c.calls.AllowN(now, 1) {
		return nil
	}
	return g.refuse(c.caller, TooManyCalls, g.opts.CallsPerSecond, until(c.calls, 1, now))
}

// Send accounts for bytes that the caller has sent, or refuses with a
// *[RefusedError] the message that they are. They count also then: they have been
// read, and perhaps unpacked.
func (c Caller) Send(bytes int) error {
	if !c.HasBounds() || c.gate.opts.BytesPerSecond < 0 || bytes == 0 {
		return nil
	}
	now := time.Now()
	if c.bytes.AllowN(now, bytes) {
		return nil
	}
	wait := until(c.bytes, bytes, now)
	c.bytes.ReserveN(now, bytes)
	c.inDebt.Store(true) // once is often enough to have a look each time
	return c.gate.refuse(c.caller, TooManyBytes, c.gate.opts.BytesPerSecond, wait)
}

// until is how long it takes until a bucket has n tokens.
func until(bucket *rate.Limiter, n int, now time.Time) time.Duration {
	missing := float64(n) - bucket.TokensAt(now)
	return max(time.Duration(missing/float64(bucket.Limit())*float64(time.Second)), time.Millisecond)
}

// Open lets the caller open a stream, or refuses it with a *[RefusedError]. Call
// closed, once, when the stream has ended.
func (c Caller) Open() (closed func(), err error) {
	most := c.gate.opts.StreamsPerCaller
	if !c.HasBounds() || most < 0 {
		return func() {}, nil
	}
	if c.streams.Add(1) > int64(most) {
		c.streams.Add(-1)
		return nil, c.gate.refuse(c.caller, TooManyStreams, most, time.Second)
	}
	return func() { c.streams.Add(-1) }, nil
}

// refuse counts a refusal. That of a caller with bounds of its own is to be held
// back: see [caller.hold].
func (g *Gate) refuse(c *caller, reason Reason, limit int, retryAfter time.Duration) error {
	g.refused[reason].Add(1)
	refused := &RefusedError{Reason: reason, Limit: limit, RetryAfter: retryAfter}
	if c != nil {
		refused.Hold = c.hold(time.Now())
	}
	return refused
}
