package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/server/admission"
)

// The intervals at which the directory looks after itself.
const (
	// pollInterval is how often it looks for changes by other processes.
	pollInterval = 250 * time.Millisecond
	// touchInterval is how often one token's last use is noted, and
	// flushInterval how often what was noted is written.
	touchInterval = time.Minute
	flushInterval = 10 * time.Second
	// cleanInterval is how often tokens are removed that have expired for longer
	// than keepExpired.
	cleanInterval = time.Hour
	keepExpired   = 7 * 24 * time.Hour
)

// Options configures a [Directory].
type Options struct {
	// Store keeps the accounts; the directory closes it.
	Store Store
	// Logger hears of every event and of failures of the store. Default:
	// slog.Default().
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Directory answers who a caller is, and changes accounts. All that a call is
// judged by is in memory; each change is in the store before it takes effect.
// Its methods are safe for concurrent use.
type Directory struct {
	opts     Options
	current  atomic.Pointer[view]
	hashing  chan struct{}      // slots for passwords
	failures admission.Failures // to show a password

	changes atomic.Int64 // made by this process so far
	load    sync.Mutex
	loaded  int64 // changes that the current view has

	mu        sync.Mutex
	listeners []func()
	used      map[int64]time.Time // last uses not written yet
}

// view is the content with its indexes. It does not change.
type view struct {
	users  map[int32]User
	byName map[string]int32
	tokens map[Hash]Token
	byID   map[int64]Hash
	admins int
}

func newView(c Content) *view {
	v := &view{users: map[int32]User{}, byName: map[string]int32{}, tokens: map[Hash]Token{}, byID: map[int64]Hash{}}
	for _, u := range c.Users {
		v.users[u.ID] = u
		v.byName[strings.ToLower(u.Name)] = u.ID
		if u.Role == Admin {
			v.admins++
		}
	}
	for _, t := range c.Tokens {
		v.tokens[t.Hash] = t
		v.byID[t.ID] = t.Hash
	}
	return v
}

// user returns the user of a name, however it is capitalised.
func (v *view) user(name string) (User, bool) {
	u, ok := v.users[v.byName[strings.ToLower(name)]]
	return u, ok
}

// NewDirectory reads the store and answers from then on. [Directory.Run] keeps
// it up to date with other processes; close it in the end.
func NewDirectory(ctx context.Context, opts Options) (*Directory, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	d := &Directory{opts: opts, hashing: make(chan struct{}, passwordSlots), used: map[int64]time.Time{}}
	content, err := opts.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the accounts: %w", err)
	}
	d.current.Store(newView(content))
	return d, nil
}

// Close writes what is left and closes the store.
func (d *Directory) Close() error {
	d.flush(context.Background())
	return d.opts.Store.Close()
}

// OnChange has f called after each change, when it holds already. f must not
// change the directory. Call it before the directory is in use.
func (d *Directory) OnChange(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listeners = append(d.listeners, f)
}

// HasAdmin reports whether there is an admin, from when on accounts hold.
func (d *Directory) HasAdmin() bool { return d.current.Load().admins > 0 }

// Run follows the changes of other processes and writes when tokens were used,
// until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	poll, flush, clean := time.NewTicker(pollInterval), time.NewTicker(flushInterval), time.NewTicker(cleanInterval)
	defer poll.Stop()
	defer flush.Stop()
	defer clean.Stop()
	follow := d.follow()
	d.clean(ctx)
	for {
		select {
		case <-poll.C:
			follow(ctx)
		case <-flush.C:
			d.flush(ctx)
		case <-clean.C:
			d.clean(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// follow returns a function that loads what other processes have changed since
// it was last called.
func (d *Directory) follow() func(context.Context) {
	version, failing := int64(-1), false
	return func(ctx context.Context) {
		v, err := d.opts.Store.Version(ctx)
		if err == nil && v != version {
			if err = d.reload(ctx, d.changes.Add(1)); err == nil {
				version = v
			}
		}
		if err != nil && !failing && ctx.Err() == nil {
			d.opts.Logger.Error("cannot look for changes of the accounts", "error", err)
		}
		failing = err != nil
	}
}

// reload brings the view up to a change, unless another goroutine has.
func (d *Directory) reload(ctx context.Context, change int64) error {
	d.load.Lock()
	defer d.load.Unlock()
	if d.loaded >= change {
		return nil
	}
	upTo := d.changes.Load()
	content, err := d.opts.Store.Load(ctx)
	if err != nil {
		return err
	}
	d.current.Store(newView(content))
	d.loaded = upTo
	d.mu.Lock()
	listeners := slices.Clone(d.listeners)
	d.mu.Unlock()
	for _, f := range listeners {
		f()
	}
	return nil
}

// did makes a change take effect that the store has, and logs it.
func (d *Directory) did(ctx context.Context, event Event, err error) error {
	if err != nil {
		return d.storeError(err)
	}
	d.log(ctx, event)
	// The caller may have gone meanwhile; what is stored must hold all the same.
	if err := d.reload(context.WithoutCancel(ctx), d.changes.Add(1)); err != nil {
		return d.storeError(err)
	}
	return nil
}

// AuditMessage is the message of the log's records of who did what.
const AuditMessage = "audit"

func (d *Directory) log(ctx context.Context, e Event) {
	d.opts.Logger.InfoContext(ctx, AuditMessage, "actor", e.Actor, "action", e.Action, "target", e.Target, "detail", e.Detail, "peer", e.Peer)
}

// storeError keeps what the caller may know and logs the rest.
func (d *Directory) storeError(err error) error {
	for _, known := range []error{ErrExists, ErrNoUser, ErrNoToken, ErrLastAdmin, ErrUsedUp, ErrFull} {
		if errors.Is(err, known) {
			return known
		}
	}
	if denied, ok := errors.AsType[*DeniedError](err); ok {
		return denied
	}
	d.opts.Logger.Error("cannot change the accounts", "error", err)
	return ErrUnavailable
}

// event begins the record of what a caller does.
func (d *Directory) event(by Caller, action, target, detail string) Event {
	return Event{Time: d.opts.Now(), Actor: cmp.Or(by.Name, string(Anonymous)), Action: action, Target: target, Detail: detail, Peer: by.Peer}
}

// Record notes what a caller did to settings.
func (d *Directory) Record(ctx context.Context, by Caller, action, target, detail string) error {
	event := d.event(by, action, target, detail)
	if err := d.opts.Store.Record(ctx, event); err != nil {
		return d.storeError(err)
	}
	d.log(ctx, event)
	return nil
}

// Events returns the newest events with an id less than before, or of all where
// that is 0, newest first.
func (d *Directory) Events(ctx context.Context, limit int, before int64) ([]Event, error) {
	events, err := d.opts.Store.Events(ctx, limit, before)
	if err != nil {
		return nil, d.storeError(err)
	}
	return events, nil
}

// touch notes that a token was used.
func (d *Directory) touch(token int64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.used[token]; ok && now.Sub(last) < touchInterval {
		return
	}
	d.used[token] = now
}

// flush writes the last uses that are not in the store.
func (d *Directory) flush(ctx context.Context) {
	d.mu.Lock()
	used := maps.Clone(d.used)
	d.mu.Unlock()
	v := d.current.Load()
	for id, at := range used {
		t, ok := v.tokens[v.byID[id]]
		if !ok || at.Sub(t.LastUsed) < touchInterval {
			delete(used, id)
		}
	}
	if len(used) == 0 {
		return
	}
	err := d.opts.Store.Touch(ctx, used)
	if err == nil {
		err = d.reload(ctx, d.changes.Add(1))
	}
	if err != nil && ctx.Err() == nil {
		d.opts.Logger.Warn("cannot note when tokens were last used", "error", err)
	}
}

// clean removes what has long expired, and forgets uses that are written.
func (d *Directory) clean(ctx context.Context) {
	now := d.opts.Now()
	var old []int64
	for _, t := range d.current.Load().tokens {
		if !t.Expires.IsZero() && now.Sub(t.Expires) > keepExpired {
			old = append(old, t.ID)
		}
	}
	if len(old) > 0 {
		event := d.event(Caller{Identity: Identity{Name: "the server"}}, "token.expire", fmt.Sprintf("%d tokens", len(old)), "")
		if err := d.did(ctx, event, d.opts.Store.DeleteTokens(ctx, old, event)); err != nil && ctx.Err() == nil {
			d.opts.Logger.Warn("cannot remove expired tokens", "error", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.used, func(_ int64, at time.Time) bool { return now.Sub(at) > 2*touchInterval })
}
