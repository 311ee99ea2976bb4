package h2

import "time"

// Bounds on what a peer can make the server do or hold. None of them is met by a
// client that means well; each has a test that attacks it (attack_test.go).
const (
	// highWater is how much a connection may have waiting for its socket before
	// handlers are made to wait.
	highWater = 64 << 10
	// quantum is what a stream may send before the next in line has its turn.
	quantum = 16 << 10
	// maxReplies is how many answers to PING, SETTINGS and frames of closed
	// streams may wait for a peer that does not read.
	maxReplies = 1000
	// maxContinuations is how many CONTINUATION frames a header block may have.
	// What they carry is bounded beside, by maxBlockBytes.
	maxContinuations = 64
	// yieldAfter is how many streams the reader opens before it lets their handlers
	// run, of which one may have the connection held back.
	yieldAfter = 64
	// longestHold is for how long that may be.
	longestHold = time.Second
	// smallData is the payload below which a DATA frame that does not end its
	// stream counts as tiny: no message of gRPC, gRPC-Web or Connect is smaller.
	smallData = 5
	// closedMemory is how many streams are remembered after their end, to tell
	// frames that crossed ours on the way from a peer's mistakes.
	closedMemory = 64
)

// maxBlockBytes is how much of a header block is taken in, encoded. Up to there
// a head that is too large is decoded, for the sake of HPACK's state, and
// answered with 431; past it the connection ends.
func maxBlockBytes(maxHeaderBytes int) int { return 4*maxHeaderBytes + 64<<10 }

// allowance is a token bucket: what comes in bursts is let through, what goes on
// is not.
type allowance struct {
	left, most float64
	rate       float64 // a second
	at         instant
}

func allow(burst, rate float64) allowance { return allowance{left: burst, most: burst, rate: rate} }

// spend takes one token and reports whether there was one.
func (a *allowance) spend(at instant) bool {
	a.left = min(a.most, a.left+at.since(a.at).Seconds()*a.rate)
	a.at = at
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}

// earn gives tokens back, for something done that justifies more frames.
func (a *allowance) earn(n float64) { a.left = min(a.most, a.left+n) }

// allowances of one connection, by what a peer may send too much of.
type allowances struct {
	resets   allowance // streams ended by RST_STREAM before their answer, or by a mistake
	settings allowance // each costs a walk over all streams
	priority allowance // and frames of unknown types: nothing is done with them
	updates  allowance // WINDOW_UPDATE; sending DATA earns more
	empty    allowance // DATA with no payload at all
	tiny     allowance // DATA with hardly any, or more padding than payload
}

func newAllowances(maxStreams int) allowances {
	burst := float64(2*maxStreams + 100)
	a := allowances{
		resets:   allow(burst, 100),
		settings: allow(100, 10),
		priority: allow(burst, 100),
		updates:  allow(2*burst+1000, 1000),
		empty:    allow(100, 10),
		tiny:     allow(1000, 100),
	}
	for _, each := range []*allowance{&a.resets, &a.settings, &a.priority, &a.updates, &a.empty, &a.tiny} {
		each.at = now()
	}
	return a
}

// tickOf is how often a connection looks after its timeouts: often enough for
// the shortest of them, and no more.
func tickOf(c *config) time.Duration {
	tick := 10 * time.Second
	for _, d := range []time.Duration{c.headerTimeout, c.bodyTimeout, c.stallTimeout, c.writeTimeout, c.pingAfter, c.pingTimeout, c.idleTimeout} {
		if d > 0 {
			tick = min(tick, d/4)
		}
	}
	return max(tick, 5*time.Millisecond)
}
