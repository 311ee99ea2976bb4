package account

import (
	"context"
	"crypto/subtle"
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
	// By address and name, so that who guesses one person's password keeps
	// nobody else out, not even behind the same proxy.
	who := hostOf(peer) + " " + name
	if err := d.failures.Check(who); err != nil {
		return Secret{}, Token{}, err
	}
	u, ok := d.current.Load().user(name)
	phc := u.Password
	if !ok || phc == "" {
		phc = nobody // takes as long as a wrong password
	}
	right, err := d.matches(ctx, password, phc)
	if err != nil {
		return Secret{}, Token{}, err
	}
	by := Caller{Identity: Identity{Name: u.Name, User: u.ID}, Peer: peer}
	if !right || !ok || u.Password == "" {
		d.failures.Failed(who)
		d.opts.Logger.WarnContext(ctx, "a sign-in failed", "user", printable(name), "peer", peer)
		return Secret{}, Token{}, ErrCredentials
	}
	d.failures.Succeeded(who)
	if err := d.endSessions(ctx, by, u, maxSessions-1); err != nil {
		return Secret{}, Token{}, err
	}
	now := d.opts.Now()
	return d.addToken(ctx, by, "session.begin", Token{
		Kind: SessionToken, Name: "session", Role: u.Role, User: u.ID, Created: now, CreatedBy: u.Name, Expires: now.Add(SessionLifetime), LastUsed: now,
	})
}

// RefusedSignIns returns how many were refused because too many had failed before.
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

// matches checks a password, a few at a time.
//
// Errors: [ErrBusy].
func (d *Directory) matches(ctx context.Context, password, phc string) (bool, error) {
	if len(password) > mostPassword {
		return false, nil
	}
	wait, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
	case <-wait.Done():
		return false, ErrBusy
	}
	defer func() { <-d.hashing }()
	return matches(password, phc), nil
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
