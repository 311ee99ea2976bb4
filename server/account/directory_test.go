package account_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/account/sqlite"
	"github.com/vitals-rpc/vitals/server/admission"
)

var owner = account.Caller{Identity: account.Owner("the test")}

// clock is one that tests turn.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(t *testing.T, dir string, c *clock) *account.Directory {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := account.NewDirectory(t.Context(), account.Options{Store: s, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExpiryAndLastUse(t *testing.T) {
	dir, c := t.TempDir(), &clock{at: time.Now()}
	d := open(t, dir, c)
	if _, err := d.CreateUser(t.Context(), owner, account.NewUser{Name: "u", Role: account.Viewer}); err != nil {
		t.Fatal(err)
	}
	secret, token, err := d.CreateToken(t.Context(), owner, account.NewToken{Name: "t", User: "u", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.turn(30 * time.Minute)
	if _, err := d.Authenticate(secret.Reveal(), nil); err != nil {
		t.Errorf("half its life: %v", err)
	}
	first := c.now()
	c.turn(30 * time.Second) // within the minute: not noted again
	if _, err := d.Authenticate(secret.Reveal(), nil); err != nil {
		t.Error(err)
	}
	if got := d.Tokens(owner)[0].LastUsed; !got.Equal(first) {
		t.Errorf("last used %s, want %s", got, first)
	}
	if err := d.Close(); err != nil { // which writes it
		t.Fatal(err)
	}
	d = open(t, dir, c)
	defer d.Close()
	if got := d.Tokens(owner)[0]; got.ID != token.ID || got.LastUsed.UnixMilli() != first.UnixMilli() {
		t.Errorf("after a restart %+v", got)
	}
	c.turn(30 * time.Minute)
	var refused *account.TokenError
	if _, err := d.Authenticate(secret.Reveal(), nil); !errors.As(err, &refused) {
		t.Errorf("after its life: %v", err)
	}
}

// An agent whose answer was lost asks again for nothing; whoever would take the
// place of one that is at work, with its host id, needs a use of the fleet's token.
func TestEnrolmentAgain(t *testing.T) {
	d := open(t, t.TempDir(), &clock{at: time.Now()})
	defer d.Close()
	fleet, _, err := d.CreateToken(t.Context(), owner, account.NewToken{Name: "fleet", Kind: account.EnrolmentToken, MaxUses: 1})
	if err != nil {
		t.Fatal(err)
	}
	id, err := d.Authenticate(fleet.Reveal(), nil)
	if err != nil {
		t.Fatal(err)
	}
	enrol := func() (account.Secret, error) {
		secret, _, err := d.Enrol(t.Context(), account.Caller{Identity: id}, "web-1", "id-1")
		return secret, err
	}
	var own account.Secret
	for range 3 {
		if own, err = enrol(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Authenticate(own.Reveal(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := enrol(); !errors.Is(err, account.ErrUsedUp) {
		t.Errorf("in place of one that is at work: %v", err)
	}
	if _, err := d.Authenticate(own.Reveal(), nil); err != nil {
		t.Errorf("the one that is at work: %v", err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	d := open(t, t.TempDir(), &clock{at: time.Now()})
	defer d.Close()
	if _, err := d.CreateUser(t.Context(), owner, account.NewUser{Name: "u", Role: account.Viewer, Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	var first account.Secret
	for i := range 21 {
		secret, _, err := d.SignIn(t.Context(), "u", "correct horse", "")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = secret
		}
	}
	if n := len(d.Tokens(owner)); n != 20 {
		t.Errorf("%d sessions", n)
	}
	if _, err := d.Authenticate(first.Reveal(), nil); err == nil {
		t.Error("the oldest session goes on")
	}
}

// Many wrong passwords at once are no way round the wait after the first few,
// neither by signing in, under whatever capitals, nor by setting a new one.
func TestGuessesAtOnce(t *testing.T) {
	d := open(t, t.TempDir(), &clock{at: time.Now()})
	defer d.Close()
	u, err := d.CreateUser(t.Context(), owner, account.NewUser{Name: "alice", Role: account.Viewer, Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(i int) error {
		_, _, err := d.SignIn(t.Context(), []string{"alice", "Alice", "ALICE"}[i%3], "wrong horse", "192.0.2.1:1000")
		return err
	}
	setPassword := func(int) error {
		by := account.Caller{Identity: account.Identity{Name: "alice", User: u.ID, Role: account.Viewer}, Peer: "192.0.2.2:1000"}
		return d.SetPassword(t.Context(), by, "", "another horse", "wrong horse")
	}
	for _, guess := range []func(int) error{signIn, setPassword} {
		var all sync.WaitGroup
		var looked, refused atomic.Int32
		for i := range 60 {
			all.Go(func() {
				err := guess(i)
				switch _, wait := errors.AsType[*admission.RefusedError](err); {
				case wait:
					refused.Add(1)
				case errors.Is(err, account.ErrCredentials):
					looked.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := looked.Load(); n < 5 || n > 8 { // one more for each wait that passes meanwhile
			t.Errorf("%d of 60 guesses were looked at, %d refused", n, refused.Load())
		}
	}
	if err := setPassword(0); err == nil {
		t.Error("a wrong old password is taken")
	}
	if _, _, err := d.SignIn(t.Context(), "alice", "correct horse", "192.0.2.3:1000"); err != nil {
		t.Errorf("from another address: %v", err)
	}
}

// Where the slots are taken nothing is hashed, and a sign-in that got none is no
// failure.
func TestPasswordsTakeTurns(t *testing.T) {
	d := open(t, t.TempDir(), &clock{at: time.Now()})
	defer d.Close()
	if _, err := d.CreateUser(t.Context(), owner, account.NewUser{Name: "alice", Role: account.Viewer, Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	f := func(ctx context.Context, want error) {
		t.Helper()
		if _, err := d.CreateUser(ctx, owner, account.NewUser{Name: "bob", Role: account.Viewer, Password: "correct horse"}); !errors.Is(err, want) {
			t.Errorf("making a user: %v, want %v", err, want)
		}
		if err := d.SetPassword(ctx, owner, "alice", "correct horse", ""); !errors.Is(err, want) {
			t.Errorf("setting a password: %v, want %v", err, want)
		}
		if _, _, err := d.SignIn(ctx, "alice", "correct horse", ""); !errors.Is(err, want) {
			t.Errorf("signing in: %v, want %v", err, want)
		}
	}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	release := d.TakeSlots()
	for range 10 {
		f(hurried, account.ErrBusy)
	}
	release()
	f(t.Context(), nil)
}

// meanwhile is a store in which something else is done just before a password is
// set, when its user has long been read.
type meanwhile struct {
	account.Store
	do func()
}

func (m *meanwhile) SetPassword(ctx context.Context, user int32, hash string, event account.Event) error {
	m.do()
	return m.Store.SetPassword(ctx, user, hash, event)
}

func TestDemotedWhileThePasswordIsSet(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	between := &meanwhile{Store: s}
	d, err := account.NewDirectory(t.Context(), account.Options{Store: between})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"root", "alice"} {
		if _, err := d.CreateUser(t.Context(), owner, account.NewUser{Name: name, Role: account.Admin}); err != nil {
			t.Fatal(err)
		}
	}
	between.do = func() {
		if _, err := d.SetRole(t.Context(), owner, "alice", account.Viewer); err != nil {
			t.Error(err)
		}
	}
	if err := d.SetPassword(t.Context(), owner, "alice", "correct horse", ""); err != nil {
		t.Fatal(err)
	}
	if u, err := d.UserNamed("alice"); err != nil || u.Role != account.Viewer || u.Password == "" {
		t.Errorf("%+v, %v", u, err)
	}
}

// Changes by many at once: each holds when its call returns.
func TestChangesHoldAtOnce(t *testing.T) {
	d := open(t, t.TempDir(), &clock{at: time.Now()})
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); d.Run(ctx) }()
	defer func() { cancel(); <-ran }()
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				secret, token, err := d.CreateToken(t.Context(), owner, account.NewToken{Name: "t", Kind: account.AgentToken, Hostname: fmt.Sprintf("h-%d-%d", w, i)})
				if err != nil {
					t.Error(err)
					return
				}
				if id, err := d.Authenticate(secret.Reveal(), nil); err != nil || id.Hostname != token.Hostname {
					t.Errorf("%+v, %v", id, err)
				}
				if err := d.RevokeToken(t.Context(), owner, token.ID); err != nil {
					t.Error(err)
				}
				if _, err := d.Authenticate(secret.Reveal(), nil); err == nil {
					t.Error("a revoked token is taken")
				}
			}
		})
	}
	all.Wait()
}
