package account_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/account/sqlite"
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
