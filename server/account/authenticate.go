package account

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// SessionLifetime is how long one is signed in.
const SessionLifetime = 7 * 24 * time.Hour

// maxSessions is how many sessions one user has at once; the oldest end.
const maxSessions = 20

// Authenticate returns whose token this is. last, which may be nil, saves the work
// for a token that came before.
//
// Errors: *[TokenError].
func (d *Directory) Authenticate(text string, last *LastSecret) (Identity, error) {
	hash, err := last.hash(text)
	if err != nil {
		return Identity{}, err
	}
	id, err := d.identify(hash)
	if err != nil {
		return Identity{}, err
	}
	d.touch(id.Token, d.opts.Now())
	return id, nil
}

// LastSecret remembers the secret that came last over a connection, with its hash,
// for who calls again and again. Whether the secret still holds is asked each time.
// The zero value is ready, and safe for concurrent use.
type LastSecret struct{ hashed atomic.Pointer[hashedSecret] }

type hashedSecret struct {
	secret Secret
	hash   Hash
}

// hash parses and hashes a secret, unless it is the last one. Comparing takes as
// long for any other: a proxy's connection may carry the calls of many.
func (l *LastSecret) hash(text string) (Hash, error) {
	if l != nil {
		if h := l.hashed.Load(); h != nil && subtle.ConstantTimeCompare([]byte(h.secret.text), []byte(text)) == 1 {
			return h.hash, nil
		}
	}
	secret, err := ParseSecret(text)
	if err != nil {
		return Hash{}, err
	}
	hash := secret.Hash()
	if l != nil {
		l.hashed.Store(&hashedSecret{secret, hash})
	}
	return hash, nil
}

// Renew returns the identity as it is now.
//
// Errors: *[TokenError], when its token does not hold any more.
func (d *Directory) Renew(id Identity) (Identity, error) {
	if id.Token == 0 {
		return id, nil
	}
	return d.identify(id.hash)
}

func (d *Directory) identify(hash Hash) (Identity, error) {
	v := d.current.Load()
	t, ok := v.tokens[hash]
	if !ok {
		return Identity{}, tokenErrorf("the token is not known here: it was revoked, or is of another server; ask for a new one, or sign in again with 'vitals login'")
	}
	if !t.Expires.IsZero() && !d.opts.Now().Before(t.Expires) {
		return Identity{}, tokenErrorf("the token expired at %s; ask for a new one, or sign in again with 'vitals login'", t.Expires.UTC().Format(time.RFC3339))
	}
	id := Identity{Role: t.Role, By: ByToken, Token: t.ID, Kind: t.Kind, Hostname: t.Hostname, HostID: t.HostID, Expires: t.Expires, hash: hash}
	switch t.Kind {
	case AgentToken:
		id.Name = "agent " + t.Hostname
	case EnrolmentToken:
		id.Name = "enrolment " + t.Name
	default:
		return asUser(id, t, v.users[t.User])
	}
	return id, nil
}

// asUser completes the identity of a token that is a user's. It may do what both
// the token and the user may.
func asUser(id Identity, t Token, u User) (Identity, error) {
	if u.ID == 0 {
		return Identity{}, tokenErrorf("the user of this token is gone")
	}
	id.User, id.Name = u.ID, u.Name
	if t.Kind == SessionToken {
		id.By = BySession
	}
	if !u.Role.Includes(id.Role) {
		if !id.Role.Includes(u.Role) {
			return Identity{}, tokenErrorf("the token is for role %s, which user %s does not have any more", id.Role, u.Name)
		}
		id.Role = u.Role
	}
	if id.Role == Agent {
		id.Hostname = u.Name
	}
	return id, nil
}

// SignIn begins a session for a name and password.
//
// Errors: [ErrCredentials], [ErrBusy], [ErrUnavailable], *admission.RefusedError
// for who has failed too often.
func (d *Directory) SignIn(ctx context.Context, name, password string, peer string) (Secret, Token, error) {
	u, _ := d.current.Load().user(name)
	if err := d.prove(ctx, guesser(peer, name), password, u.Password); err != nil {
		if errors.Is(err, ErrCredentials) {
			d.opts.Logger.WarnContext(ctx, "a sign-in failed", "user", printable(name), "peer", peer)
		}
		return Secret{}, Token{}, err
	}
	by := Caller{Identity: Identity{Name: u.Name, User: u.ID}, Peer: peer}
	if err := d.endSessions(ctx, by, u, maxSessions-1); err != nil {
		return Secret{}, Token{}, err
	}
	now := d.opts.Now()
	return d.addToken(ctx, by, "session.begin", Token{
		Kind: SessionToken, Name: "session", Role: u.Role, User: u.ID, Created: now, CreatedBy: u.Name, Expires: now.Add(SessionLifetime), LastUsed: now,
	})
}

// prove checks a password against its hash, empty where there is none. The try
// counts before it is looked at, which takes long: many at once are no way round
// the wait after failures.
//
// Errors: [ErrCredentials], [ErrBusy], *admission.RefusedError.
func (d *Directory) prove(ctx context.Context, who, password, phc string) error {
	if err := d.failures.Try(who); err != nil {
		return err
	}
	right, err := d.matches(ctx, password, cmp.Or(phc, nobody)) // which takes as long as a wrong one
	switch {
	case err != nil:
		d.failures.TakeBack(who)
		return err
	case !right:
		return ErrCredentials
	}
	d.failures.Succeeded(who)
	return nil
}

// guesser is whose failures are counted together: by address and name, so that who
// guesses one person's password keeps nobody else out, not even behind the same
// proxy. All that can be nobody's name is one.
func guesser(peer, name string) string {
	if checkName(name) != nil {
		name = ""
	}
	return hostOf(peer) + " " + strings.ToLower(name)
}

// RefusedSignIns returns how many passwords were refused because too many had been
// wrong before.
func (d *Directory) RefusedSignIns() int64 { return d.failures.Refused() }

// hostOf is an address without its port.
func hostOf(peer string) string {
	if host, _, err := net.SplitHostPort(peer); err == nil {
		return host
	}
	return peer
}

// SignInWithToken checks a user's token that is to be kept in a cookie, as the
// page does for who has no password.
//
// Errors: *[TokenError], *[DeniedError].
func (d *Directory) SignInWithToken(ctx context.Context, text, peer string) (Secret, Identity, error) {
	id, err := d.Authenticate(text, nil)
	if err != nil {
		d.opts.Logger.WarnContext(ctx, "a sign-in failed", "error", err, "peer", peer)
		return Secret{}, Identity{}, err
	}
	if id.User == 0 {
		return Secret{}, Identity{}, deniedf("agents' and enrolment tokens are not for the page; use a user's")
	}
	secret, err := ParseSecret(text)
	return secret, id, err
}

// nobody is the hash of a password that nobody knows.
var nobody = hashPassword(NewSecret(UserToken).text)

// matches checks a password in its turn.
//
// Errors: [ErrBusy].
func (d *Directory) matches(ctx context.Context, password, phc string) (right bool, err error) {
	if len(password) > mostPassword {
		return false, nil
	}
	err = d.inTurn(ctx, func() { right = matches(password, phc) })
	return right, err
}

// hash hashes a new password in its turn.
//
// Errors: *[InvalidError], [ErrBusy].
func (d *Directory) hash(ctx context.Context, password string) (phc string, err error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	err = d.inTurn(ctx, func() { phc = hashPassword(password) })
	return phc, err
}

// inTurn calls f, which hashes, when one of the slots for it is free.
//
// Errors: [ErrBusy].
func (d *Directory) inTurn(ctx context.Context, f func()) error {
	wait, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
	case <-wait.Done():
		return ErrBusy
	}
	defer func() { <-d.hashing }()
	f()
	return nil
}

// endSessions ends a user's oldest sessions but for so many.
func (d *Directory) endSessions(ctx context.Context, by Caller, u User, keep int) error {
	var sessions []int64
	for _, t := range d.tokens(func(t Token) bool { return t.Kind == SessionToken && t.User == u.ID }) {
		sessions = append(sessions, t.ID)
	}
	if len(sessions) <= keep {
		return nil
	}
	event := d.event(by, "session.end", u.Name, "")
	return d.did(ctx, event, d.opts.Store.DeleteTokens(ctx, sessions[:len(sessions)-keep], event))
}

// SignOut ends the session that a caller came with.
//
// Errors: *[DeniedError] for who came with something else, [ErrNoToken],
// [ErrUnavailable].
func (d *Directory) SignOut(ctx context.Context, by Caller) error {
	if by.Kind != SessionToken {
		return deniedf("only sessions are signed out of; to end a token, revoke it")
	}
	event := d.event(by, "session.end", by.Name, "")
	return d.did(ctx, event, d.opts.Store.DeleteTokens(ctx, []int64{by.Token}, event))
}

// printable shortens what a stranger typed for a log. It may be a password or a
// token that was typed into the wrong field.
func printable(name string) string {
	if checkName(name) != nil || strings.HasPrefix(name, secretPrefix) {
		return "(no user name)"
	}
	return name
}
