package balance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
)

// Defaults of [Options].
const (
	DefaultCheckInterval = 5 * time.Second
	DefaultCheckTimeout  = time.Second
	DefaultMinBackoff    = 500 * time.Millisecond
	DefaultMaxBackoff    = 30 * time.Second
	DefaultLookup        = 30 * time.Second
)

// Options configures a [Balancer]. Sources and Connect are needed.
type Options struct {
	// Sources say where the servers are, in order of preference.
	Sources []Source
	// Connect makes the way to a server. It sends nothing yet.
	Connect func(Address) Conn
	// Policy picks. Default: [First].
	Policy Policy
	// CheckInterval is how often each server's health is asked for, where there is
	// more than one. Negative: never; then a server that was left out is tried
	// again by a call. Default: [DefaultCheckInterval].
	CheckInterval time.Duration
	// CheckTimeout is how long the answer may take. Default: [DefaultCheckTimeout].
	CheckTimeout time.Duration
	// CheckInterceptors surround the checks, so that they are let in as other
	// calls are.
	CheckInterceptors []connect.ClientInterceptor
	// MinBackoff and MaxBackoff bound how long a server is left out before it is
	// tried again; the time doubles with each failure in a row. Defaults:
	// [DefaultMinBackoff], [DefaultMaxBackoff].
	MinBackoff, MaxBackoff time.Duration
	// LookupInterval is how often names are looked up again; they are too when a
	// server fails. Default: [DefaultLookup].
	LookupInterval time.Duration
}

func (o Options) withDefaults() Options {
	setDefault(&o.CheckInterval, DefaultCheckInterval)
	setDefault(&o.CheckTimeout, DefaultCheckTimeout)
	setDefault(&o.MinBackoff, DefaultMinBackoff)
	setDefault(&o.MaxBackoff, DefaultMaxBackoff)
	setDefault(&o.LookupInterval, DefaultLookup)
	if o.Policy == "" {
		o.Policy = First
	}
	return o
}

func setDefault(value *time.Duration, standard time.Duration) {
	if *value == 0 {
		*value = standard
	}
}

// Balancer sends calls to servers. It is safe for concurrent use. It works in the
// background from the first call on, if there is more than one server or a name to
// look up; Close ends that.
type Balancer struct {
	opts    Options
	dynamic bool            // a source may change
	life    context.Context //nolint:containedctx // the balancer's own life, not a call's
	end     context.CancelFunc
	work    sync.WaitGroup
	kick    chan struct{} // holds at most one token: there is something to do at once
	looking chan struct{} // holds a token while a lookup runs

	mu        sync.Mutex
	closed    bool
	running   bool
	endpoints []*endpoint
	looked    bool // the names have been looked up once
	lookupAt  time.Time
	lookupNow time.Time // when a lookup may be done before its time
	lookingUp bool      // in the background
}

// New makes a balancer, which does nothing until the first call.
func New(opts Options) *Balancer {
	life, end := context.WithCancel(context.Background())
	b := &Balancer{
		opts: opts.withDefaults(), life: life, end: end,
		kick: make(chan struct{}, 1), looking: make(chan struct{}, 1),
	}
	var fixed []Address
	for _, s := range opts.Sources {
		if f, ok := s.(Fixed); ok {
			fixed = append(fixed, f...)
		} else {
			b.dynamic = true
		}
	}
	if !b.dynamic {
		b.looked = true
		b.replace(fixed)
	}
	return b
}

// Close ends what runs in the background and drops idle connections. Calls that
// run are not touched, and later ones are sent all the same.
func (b *Balancer) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.end()
	b.work.Wait()
	b.Disconnect()
}

// Disconnect drops idle connections.
func (b *Balancer) Disconnect() {
	b.mu.Lock()
	endpoints := slices.Clone(b.endpoints)
	b.mu.Unlock()
	for _, e := range endpoints {
		e.conn.Disconnect()
	}
}

// NewClientStream implements connect.Transport.
func (b *Balancer) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	c := b.begin(ctx, spec)
	s, err := c.endpoint.conn.Transport.NewClientStream(c.ctx, spec)
	if err != nil {
		return nil, c.finish(err)
	}
	return &stream{ClientStream: s, call: c}, nil
}

// ready starts the work in the background and waits for the first lookup.
func (b *Balancer) ready(ctx context.Context) error {
	b.mu.Lock()
	if !b.running && !b.closed && (b.dynamic || len(b.endpoints) > 1) {
		b.running = true
		b.lookupAt = time.Now().Add(spread(b.opts.LookupInterval))
		b.work.Go(b.run)
	}
	looked := b.looked
	b.mu.Unlock()
	if looked {
		return nil
	}
	return b.lookup(ctx)
}

// pick chooses a server for a call.
func (b *Balancer) pick(ctx context.Context, now time.Time) *endpoint {
	stay, tried := stayOf(ctx), triedOf(ctx)
	if e := stay.endpoint(); e != nil && !e.out && !e.gone && !tried.has(e) {
		return e
	}
	e := b.opts.Policy.choose(b.candidates(tried, now))
	stay.set(e)
	tried.add(e)
	return e
}

// candidates are the servers of the best priority that are well and were not tried
// yet; if there is none, those that were not tried; then those that are well; and if
// there is none of these either, all, for one of them may be back.
func (b *Balancer) candidates(tried *Tried, now time.Time) []*endpoint {
	well := best(b.endpoints, func(e *endpoint) bool { return b.usable(e, now) && !tried.has(e) })
	if len(well) > 0 {
		return well
	}
	if well = best(b.endpoints, func(e *endpoint) bool { return !tried.has(e) }); len(well) > 0 {
		return well
	}
	if well = best(b.endpoints, func(e *endpoint) bool { return b.usable(e, now) }); len(well) > 0 {
		return well
	}
	return b.endpoints
}

// best returns the endpoints that are ok, of the lowest priority number.
func best(endpoints []*endpoint, ok func(*endpoint) bool) []*endpoint {
	var out []*endpoint
	for _, e := range endpoints {
		switch {
		case !ok(e):
		case len(out) == 0 || e.addr.Priority < out[0].addr.Priority:
			out = append(out[:0], e)
		case e.addr.Priority == out[0].addr.Priority:
			out = append(out, e)
		}
	}
	return out
}

// usable reports whether calls may go to e. Without checks, a call is what tries it
// again.
func (b *Balancer) usable(e *endpoint, now time.Time) bool {
	return !e.out || !b.checks() && now.After(e.until)
}

// checks reports whether the servers are checked: where there is a choice.
func (b *Balancer) checks() bool {
	return b.running && b.opts.CheckInterval > 0 && len(b.endpoints) > 1
}

// elsewhere reports whether a server that is well was not tried yet.
func (b *Balancer) elsewhere(tried *Tried) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	return slices.ContainsFunc(b.endpoints, func(e *endpoint) bool { return b.usable(e, now) && !tried.has(e) })
}

// replace makes these the servers; those that stay keep what is known of them.
func (b *Balancer) replace(addresses []Address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := map[string]*endpoint{}
	for _, e := range b.endpoints {
		before[e.addr.key()] = e
		e.gone = true
	}
	b.endpoints = nil
	now := time.Now()
	for _, a := range addresses {
		e := before[a.key()]
		if e == nil {
			e = &endpoint{conn: b.opts.Connect(a), calls: map[*call]struct{}{}, checkAt: now.Add(spread(b.opts.CheckInterval))}
			before[a.key()] = e
		} else if !e.gone {
			continue // named twice
		}
		e.addr, e.gone = a, false
		b.endpoints = append(b.endpoints, e)
	}
	for _, e := range before {
		if e.gone {
			e.conn.Disconnect()
		}
	}
}

// Status is what is known of a server.
type Status struct {
	// Address is where it is: its URL, and the address that its name was resolved
	// to, if it was.
	Address string
	// Well says that calls may go to it.
	Well bool
	// InFlight is how many calls run.
	InFlight int
	// Latency is how long it took to answer lately.
	Latency time.Duration
}

// Servers tells of the servers, in their order; none before the first lookup.
func (b *Balancer) Servers() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var out []Status
	for _, e := range b.endpoints {
		out = append(out, Status{e.addr.key(), b.usable(e, now), e.inflight, time.Duration(e.latency * float64(time.Second))})
	}
	return out
}

// lookup asks the sources, one caller at a time. A source that does not answer
// leaves what is known as it is.
func (b *Balancer) lookup(ctx context.Context) error {
	select {
	case b.looking <- struct{}{}:
		defer func() { <-b.looking }()
	case <-ctx.Done():
		return contextError(ctx, "looking up the servers")
	}
	b.mu.Lock()
	fresh := b.looked && time.Now().Before(b.lookupAt) // another caller has just done it
	known := len(b.endpoints)
	b.mu.Unlock()
	if fresh {
		return nil
	}
	var all []Address
	var failed error
	for _, s := range b.opts.Sources {
		addresses, err := s.Addresses(ctx)
		failed = errors.Join(failed, err)
		all = append(all, addresses...)
	}
	b.mu.Lock()
	b.lookupAt = time.Now().Add(spread(b.opts.LookupInterval))
	b.lookupNow = time.Now().Add(b.opts.MinBackoff)
	b.mu.Unlock()
	switch {
	case len(all) > 0 && (failed == nil || known == 0):
		b.replace(all)
		b.mu.Lock()
		b.looked = true
		b.mu.Unlock()
		return nil
	case known > 0:
		return nil
	case ctx.Err() != nil:
		return contextError(ctx, "looking up the servers")
	case failed == nil:
		failed = errors.New("there is no address under these names")
	}
	return connect.Errorf(connect.CodeUnavailable, "looking up the servers: %v", failed).WithCause(&notSentError{failed})
}

// contextError says that ctx has ended, in the codes of RPC.
func contextError(ctx context.Context, doing string) error {
	code := connect.CodeCanceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = connect.CodeDeadlineExceeded
	}
	return connect.NewError(code, fmt.Sprintf("%s: %v", doing, context.Cause(ctx))).WithCause(ctx.Err())
}
