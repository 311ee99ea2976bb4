package balance

import (
	"math"
	"math/rand/v2"
	"net/url"
	"time"

	"connectrpc.com/connect/v2"
)

// Address is where a server is.
type Address struct {
	// URL is what requests are addressed to.
	URL *url.URL
	// Dial is the host:port to connect to in place of the URL's, whose name stays
	// what the server and its certificate are asked for. Empty: the URL's.
	Dial string
	// Socket is the path of the unix socket to connect to in place of both. Empty:
	// none.
	Socket string
	// Priority: a server with a greater number is used when none with a lower is
	// well.
	Priority int
	// Weight is its share among those of its priority. 0 counts as 1.
	Weight int
}

func (a Address) key() string {
	if a.Socket != "" {
		return "unix:" + a.Socket
	}
	if a.Dial == "" {
		return a.URL.String()
	}
	return a.URL.String() + " at " + a.Dial
}

func (a Address) weight() int { return max(1, a.Weight) }

// Conn is the way to one server.
type Conn struct {
	// Transport carries its calls. Its HTTP goes through [Observe].
	Transport connect.Transport
	// Disconnect drops idle connections; not nil.
	Disconnect func()
}

// endpoint is a server and what is known of it, guarded by the balancer's lock.
type endpoint struct {
	addr Address
	conn Conn
	gone bool // no longer among the addresses

	turn     int // of round robin
	inflight int
	latency  float64 // moving average, in seconds, of what lately was asked
	heardAt  time.Time

	out      bool      // left out
	until    time.Time // when to try again
	misses   int       // failures in a row, since it answered last
	checkAt  time.Time
	checking bool
	dead     int // checks in a row without an answer

	calls map[*call]struct{}
}

// latencyDecay is how fast the moving average forgets.
const latencyDecay = 3 * time.Second

// observe takes in how long an answer took. What is slower counts at once, what is
// faster bit by bit.
func (e *endpoint) observe(took time.Duration, now time.Time) {
	seconds := took.Seconds()
	keep := math.Exp(-now.Sub(e.heardAt).Seconds() / latencyDecay.Seconds())
	if e.heardAt.IsZero() || seconds > e.latency {
		keep = 0
	}
	e.latency = e.latency*keep + seconds*(1-keep)
	e.heardAt = now
}

// load is what a call more would have to wait for. The slow answer of long ago is
// forgotten, so that a server that nobody asks any more gets another chance.
func (e *endpoint) load() float64 {
	latency := e.latency
	if !e.heardAt.IsZero() {
		latency *= math.Exp(-time.Since(e.heardAt).Seconds() / latencyDecay.Seconds())
	}
	const least = 0.005 // differences far below it are chance
	return float64(e.inflight+1) * (latency + least) / float64(e.addr.weight())
}

// leaveOut keeps calls away, for longer with each failure in a row.
func (e *endpoint) leaveOut(now time.Time, least, most time.Duration) {
	wait := most
	if e.misses < 16 {
		wait = min(most, least<<e.misses)
	}
	e.misses++
	e.out = true
	e.until = now.Add(spread(wait))
	e.checkAt = e.until
}

// spread varies a duration by a fifth, so that many clients do not act at once.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	return d - d/5 + rand.N(2*d/5+1) //nolint:gosec // spreads load, hides nothing
}
