// Package accounttest holds what every account.Store has to do, as tests that run
// on any of them.
package accounttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vitals-rpc/vitals/server/account"
)

// Run runs the suite. open opens the same storage again each time that it is
// called with the same t; the suite closes what it opens.
func Run(t *testing.T, open func(t *testing.T) func() account.Store) {
	for name, test := range map[string]func(*testing.T, func() account.Store){
		"users": users, "changes at once": changesAtOnce, "last admin": lastAdmin, "tokens": tokens, "enrolment": enrolment,
		"enrolment again": enrolmentAgain, "events": events, "nothing half": nothingHalf, "version": version,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

func event(action string) account.Event {
	return account.Event{Time: now(), Actor: "a", Action: action, Target: "t", Detail: "d", Peer: "p"}
}

func newToken(kind account.Kind, user int32, host, id string) account.Token {
	return account.Token{
		Kind: kind, Name: "n", Hash: account.NewSecret(kind).Hash(), Role: account.Viewer, User: user, Hostname: host, HostID: id,
		Created: now(), CreatedBy: "x", Expires: now().Add(time.Hour), LastUsed: now(), Uses: 1, MaxUses: 3,
	}
}

func load(t *testing.T, s account.Store) account.Content {
	t.Helper()
	c, err := s.Load(t.Context())
	must(t, err)
	return c
}

// again closes a store and opens it anew: what was acknowledged is there.
func again(t *testing.T, s account.Store, open func() account.Store) account.Store {
	t.Helper()
	must(t, s.Close())
	return open()
}

func users(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	alice, err := s.AddUser(ctx, account.User{Name: "Alice", Email: "a@b", Role: account.Admin, Password: "$h", Created: now()}, event("1"))
	must(t, err)
	bob, err := s.AddUser(ctx, account.User{Name: "bob", Role: account.Viewer, Created: now()}, event("2"))
	must(t, err)
	if alice.ID < 1 || bob.ID <= alice.ID {
		t.Errorf("ids %d and %d", alice.ID, bob.ID)
	}
	_, err = s.AddUser(ctx, account.User{Name: "aLICE", Role: account.Viewer}, event("3"))
	is(t, err, account.ErrExists)
	bob.Role, bob.Password = account.Operator, "$i"
	must(t, s.SetRole(ctx, bob.ID, bob.Role, event("4")))
	must(t, s.SetPassword(ctx, bob.ID, bob.Password, event("4")))
	is(t, s.SetRole(ctx, 99, account.Viewer, event("5")), account.ErrNoUser)
	is(t, s.SetPassword(ctx, 99, "$i", event("5")), account.ErrNoUser)
	s = again(t, s, open)
	if diff := cmp.Diff([]account.User{alice, bob}, load(t, s).Users); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteUser(ctx, bob.ID, event("6")))
	is(t, s.DeleteUser(ctx, bob.ID, event("7")), account.ErrNoUser)
	carol, err := s.AddUser(ctx, account.User{Name: "carol", Role: account.Viewer, Created: now()}, event("8"))
	must(t, err)
	if carol.ID <= bob.ID {
		t.Errorf("id %d of a deleted user is used again", carol.ID)
	}
	must(t, s.Close())
}

// changesAtOnce: of two changes of one user, neither undoes the other, nor by two
// processes.
func changesAtOnce(t *testing.T, open func() account.Store) {
	ctx, s, other := t.Context(), open(), open()
	defer s.Close()
	defer other.Close()
	u, err := s.AddUser(ctx, account.User{Name: "u", Email: "u@v", Role: account.Viewer, Created: now()}, event("1"))
	must(t, err)
	for i, role := range []account.Role{account.Operator, account.Viewer, account.Operator, account.Viewer} {
		u.Role, u.Password = role, fmt.Sprint("$", i)
		var both sync.WaitGroup
		both.Go(func() {
			if err := s.SetRole(ctx, u.ID, u.Role, event("2")); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := other.SetPassword(ctx, u.ID, u.Password, event("3")); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if diff := cmp.Diff([]account.User{u}, load(t, s).Users); diff != "" {
			t.Error(diff)
		}
	}
}

func lastAdmin(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	defer s.Close()
	a, err := s.AddUser(ctx, account.User{Name: "a", Role: account.Admin}, event("1"))
	must(t, err)
	is(t, s.DeleteUser(ctx, a.ID, event("2")), account.ErrLastAdmin)
	is(t, s.SetRole(ctx, a.ID, account.Operator, event("3")), account.ErrLastAdmin)
	b, err := s.AddUser(ctx, account.User{Name: "b", Role: account.Admin}, event("4"))
	must(t, err)
	must(t, s.SetRole(ctx, a.ID, account.Operator, event("5")))
	is(t, s.DeleteUser(ctx, b.ID, event("6")), account.ErrLastAdmin)
}

func tokens(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	u, err := s.AddUser(ctx, account.User{Name: "u", Role: account.Viewer}, event("1"))
	must(t, err)
	mine, err := s.AddToken(ctx, newToken(account.UserToken, u.ID, "", ""), event("2"))
	must(t, err)
	agents, err := s.AddToken(ctx, newToken(account.AgentToken, 0, "web-1", "id"), event("3"))
	must(t, err)
	_, err = s.AddToken(ctx, newToken(account.UserToken, 99, "", ""), event("4"))
	is(t, err, account.ErrNoUser)
	s = again(t, s, open)
	if diff := cmp.Diff([]account.Token{mine, agents}, load(t, s).Tokens); diff != "" {
		t.Error(diff)
	}

	agents.Hash = account.NewSecret(account.AgentToken).Hash()
	must(t, s.Rotate(ctx, agents.ID, agents.Hash, event("5")))
	is(t, s.Rotate(ctx, 99, agents.Hash, event("6")), account.ErrNoToken)
	used := now().Add(time.Minute)
	must(t, s.Touch(ctx, map[int64]time.Time{agents.ID: used, mine.ID: now().Add(-time.Hour), 99: used}))
	agents.LastUsed = used // and the other's is not set back
	if diff := cmp.Diff([]account.Token{mine, agents}, load(t, s).Tokens); diff != "" {
		t.Error(diff)
	}

	must(t, s.DeleteUser(ctx, u.ID, event("7"))) // and its tokens
	if diff := cmp.Diff([]account.Token{agents}, load(t, s).Tokens); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteTokens(ctx, []int64{agents.ID, 99}, event("8")))
	is(t, s.DeleteTokens(ctx, []int64{agents.ID}, event("9")), account.ErrNoToken)
	must(t, s.Close())
}

func enrolment(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	defer s.Close()
	fleet := newToken(account.EnrolmentToken, 0, "", "")
	fleet, err := s.AddToken(ctx, fleet, event("1")) // used once of three times
	must(t, err)
	first, err := s.Enrol(ctx, fleet.ID, newToken(account.AgentToken, 0, "web-1", "id"), event("2"))
	must(t, err)
	_, err = s.Enrol(ctx, fleet.ID, newToken(account.AgentToken, 0, "web-1", "other"), event("3"))
	if _, ok := errors.AsType[*account.DeniedError](err); !ok {
		t.Errorf("another machine: %v", err)
	}
	second, err := s.Enrol(ctx, fleet.ID, newToken(account.AgentToken, 0, "web-1", "id"), event("4"))
	must(t, err)
	_, err = s.Enrol(ctx, fleet.ID, newToken(account.AgentToken, 0, "web-2", "id2"), event("5"))
	is(t, err, account.ErrUsedUp)
	_, err = s.Enrol(ctx, 99, newToken(account.AgentToken, 0, "web-2", "id2"), event("6"))
	is(t, err, account.ErrNoToken)
	fleet.Uses = 3
	if diff := cmp.Diff([]account.Token{fleet, second}, load(t, s).Tokens); diff != "" {
		t.Errorf("the first, %d, is not replaced: %s", first.ID, diff)
	}
}

// enrolmentAgain: the answer to an enrolment that was lost costs no second use.
func enrolmentAgain(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	defer s.Close()
	fleet := newToken(account.EnrolmentToken, 0, "", "")
	fleet.Uses, fleet.MaxUses = 0, 2
	fleet, err := s.AddToken(ctx, fleet, event("1"))
	must(t, err)
	uses := func(want int) {
		t.Helper()
		for _, token := range load(t, s).Tokens {
			if token.ID == fleet.ID && token.Uses != want {
				t.Errorf("used %d times, want %d", token.Uses, want)
			}
		}
	}
	enrol := func(host, by string) (account.Token, error) {
		token := newToken(account.AgentToken, 0, host, "id of "+host)
		token.LastUsed, token.CreatedBy = time.Time{}, by
		return s.Enrol(ctx, fleet.ID, token, event("2"))
	}
	for range 5 {
		_, err = enrol("web-1", "fleet")
		must(t, err)
	}
	uses(1)
	_, err = enrol("web-1", "another fleet") // another token's uses are its own
	must(t, err)
	uses(2)
	_, err = enrol("web-2", "fleet")
	is(t, err, account.ErrUsedUp)
	last, err := enrol("web-1", "another fleet") // costs nothing, and there is nothing left
	must(t, err)
	must(t, s.Touch(ctx, map[int64]time.Time{last.ID: now()}))
	_, err = enrol("web-1", "another fleet") // whoever knows the host id
	is(t, err, account.ErrUsedUp)
	uses(2)
	tokens := load(t, s).Tokens
	if len(tokens) != 2 || tokens[1].Hash != last.Hash {
		t.Errorf("%+v", tokens)
	}
}

func events(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	defer s.Close()
	for i := range 5 {
		must(t, s.Record(ctx, event(fmt.Sprint(i))))
	}
	page, err := s.Events(ctx, 2, 0)
	must(t, err)
	if len(page) != 2 || page[0].Action != "4" || page[1].Action != "3" || page[0].Actor != "a" || page[0].Peer != "p" || page[0].Detail != "d" || page[0].Time.IsZero() {
		t.Errorf("%+v", page)
	}
	page, err = s.Events(ctx, 10, page[1].ID)
	must(t, err)
	if len(page) != 3 || page[0].Action != "2" {
		t.Errorf("%+v", page)
	}
}

// nothingHalf: a refused change leaves no event.
func nothingHalf(t *testing.T, open func() account.Store) {
	ctx, s := t.Context(), open()
	defer s.Close()
	is(t, s.DeleteUser(ctx, 7, event("delete")), account.ErrNoUser)
	_, err := s.AddToken(ctx, newToken(account.UserToken, 7, "", ""), event("token"))
	is(t, err, account.ErrNoUser)
	if got, err := s.Events(ctx, 10, 0); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.AddUser(gone, account.User{Name: "x", Role: account.Viewer}, event("user")); err == nil {
		t.Error("a change whose caller is gone")
	}
	if c := load(t, s); len(c.Users) != 0 {
		t.Errorf("%+v", c.Users)
	}
}

func version(t *testing.T, open func() account.Store) {
	ctx, s, other := t.Context(), open(), open()
	defer s.Close()
	defer other.Close()
	before, err := s.Version(ctx)
	must(t, err)
	_, err = s.AddUser(ctx, account.User{Name: "own", Role: account.Viewer}, event("1"))
	must(t, err)
	if v, err := s.Version(ctx); err != nil || v != before {
		t.Errorf("its own change counts: %d, %v", v, err)
	}
	_, err = other.AddUser(ctx, account.User{Name: "others", Role: account.Viewer}, event("2"))
	must(t, err)
	if v, err := s.Version(ctx); err != nil || v == before {
		t.Errorf("another's change does not count: %d, %v", v, err)
	}
	if c := load(t, s); len(c.Users) != 2 {
		t.Errorf("%+v", c.Users)
	}
}
