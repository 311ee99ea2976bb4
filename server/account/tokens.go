package account

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
	"unicode"

	"github.com/vitals-rpc/vitals/metric"
)

// EnrolmentLifetime is how long an enrolment token lives unless told otherwise.
const EnrolmentLifetime = 30 * 24 * time.Hour

// NewToken describes a token to be.
type NewToken struct {
	Name string
	// Kind is what it is for. Default: [UserToken].
	Kind Kind
	// User is whose it is, for a user's. Default: the caller.
	User string
	// Role is what it lets its holder do, for a user's. Default: what the user may.
	Role Role
	// Hostname is the host that it is for, for an agent's.
	Hostname string
	// Lifetime is how long it lives. Default: for ever, but [EnrolmentLifetime]
	// for an enrolment token.
	Lifetime time.Duration
	// MaxUses is how many agents an enrolment token may enrol; 0: no limit.
	MaxUses int
}

// CreateToken makes a token. Who is no admin makes tokens of its own only.
//
// Errors: *[InvalidError], *[DeniedError], [ErrNoUser], [ErrFull], [ErrUnavailable].
func (d *Directory) CreateToken(ctx context.Context, by Caller, in NewToken) (Secret, Token, error) {
	if err := checkTokenName(in.Name); err != nil {
		return Secret{}, Token{}, err
	}
	t := Token{Kind: cmp.Or(in.Kind, UserToken), Name: in.Name, Created: d.opts.Now(), CreatedBy: by.Name}
	var err error
	switch t.Kind {
	case UserToken:
		err = d.describeUserToken(by, in, &t)
	case AgentToken:
		t.Role, t.Hostname = Agent, in.Hostname
		err = cmp.Or(adminsOnly(by, "agents' tokens"), checkHost(in.Hostname))
	case EnrolmentToken:
		t.Role, t.MaxUses = Enrolment, in.MaxUses
		in.Lifetime = cmp.Or(in.Lifetime, EnrolmentLifetime)
		err = adminsOnly(by, "enrolment tokens")
	default:
		err = invalidf("a token is for a user, an agent or an enrolment; sessions begin by signing in")
	}
	if err == nil && in.Lifetime < 0 {
		err = invalidf("a token's lifetime cannot be negative")
	}
	if err != nil {
		return Secret{}, Token{}, err
	}
	if in.Lifetime > 0 {
		t.Expires = t.Created.Add(in.Lifetime)
	}
	return d.addToken(ctx, by, "token.create", t)
}

func (d *Directory) describeUserToken(by Caller, in NewToken, t *Token) error {
	owner, err := d.User(by.User)
	if in.User != "" {
		owner, err = d.UserNamed(in.User)
	}
	switch {
	case by.Role != Admin && (err != nil || owner.ID != by.User):
		return deniedf("only admins make tokens for others")
	case err != nil && in.User == "":
		return invalidf("name the user whose token it will be: you are not one")
	case err != nil:
		return err
	}
	t.User, t.Role = owner.ID, cmp.Or(in.Role, owner.Role)
	if _, err := ParseRole(string(t.Role)); err != nil {
		return err
	}
	if !owner.Role.Includes(t.Role) {
		return invalidf("user %s has the role %s, which does not include %s", owner.Name, owner.Role, t.Role)
	}
	if by.Role != Admin && !by.Role.Includes(t.Role) {
		return deniedf("your token has the role %s and cannot make one of role %s", by.Role, t.Role)
	}
	return nil
}

func adminsOnly(by Caller, what string) error {
	if by.Role != Admin {
		return deniedf("only admins make %s", what)
	}
	return nil
}

func checkHost(hostname string) error {
	if err := metric.CheckHost(hostname); err != nil {
		return invalidf("an agent's token needs the name of its host: %s", err)
	}
	return nil
}

func checkTokenName(name string) error {
	if name == "" || len(name) > 64 {
		return invalidf("a token needs a name of 1 to 64 bytes, by which you will know it")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return invalidf("a token's name has characters that cannot be printed")
		}
	}
	if _, err := ParseSecret(name); err == nil {
		return invalidf("a token's name cannot be a token")
	}
	return nil
}

// addToken keeps a token with a secret of its own.
func (d *Directory) addToken(ctx context.Context, by Caller, action string, t Token) (Secret, Token, error) {
	secret := NewSecret(t.Kind)
	t.Hash = secret.Hash()
	event := d.event(by, action, t.describe(), "role "+string(t.Role))
	t, err := d.opts.Store.AddToken(ctx, t, event)
	if err := d.did(ctx, event, err); err != nil {
		return Secret{}, Token{}, err
	}
	return secret, t, nil
}

// describe names the token for the record of events.
func (t Token) describe() string {
	switch {
	case t.Hostname != "":
		return fmt.Sprintf("%s token %q of host %s", t.Kind, t.Name, t.Hostname)
	default:
		return fmt.Sprintf("%s token %q", t.Kind, t.Name)
	}
}

// Enrol gives an agent a token of its own, in place of the one that the same
// machine has. It is a use of the enrolment token, but for an agent that never
// came with the token in place: the answer was lost, and asking again is free. One
// that did come may be at work; to take its place, even with its host id, is not.
//
// Errors: *[InvalidError], *[DeniedError], [ErrUsedUp], [ErrFull], [ErrUnavailable].
func (d *Directory) Enrol(ctx context.Context, by Caller, hostname, hostID string) (Secret, Token, error) {
	if err := checkHost(hostname); err != nil {
		return Secret{}, Token{}, err
	}
	if hostID == "" {
		return Secret{}, Token{}, invalidf("an agent enrols with its host id")
	}
	if by.Kind != EnrolmentToken {
		return Secret{}, Token{}, deniedf("agents enrol with an enrolment token: 'vitals token create --enrol NAME' makes one")
	}
	if err := d.noteUses(ctx, hostname); err != nil {
		return Secret{}, Token{}, err
	}
	secret := NewSecret(AgentToken)
	t := Token{
		Kind: AgentToken, Name: "enrolled", Hash: secret.Hash(), Role: Agent, Hostname: hostname, HostID: hostID,
		Created: d.opts.Now(), CreatedBy: by.Name,
	}
	event := d.event(by, "agent.enrol", "host "+hostname, "host id "+hostID)
	t, err := d.opts.Store.Enrol(ctx, by.Token, t, event)
	if err := d.did(ctx, event, err); err != nil {
		return Secret{}, Token{}, err
	}
	return secret, t, nil
}

// noteUses has the store know which tokens of a host were used.
func (d *Directory) noteUses(ctx context.Context, hostname string) error {
	used := map[int64]time.Time{}
	for _, t := range d.tokens(func(t Token) bool { return t.Hostname == hostname && !t.LastUsed.IsZero() }) {
		used[t.ID] = t.LastUsed
	}
	if len(used) == 0 {
		return nil
	}
	if err := d.opts.Store.Touch(ctx, used); err != nil {
		return d.storeError(err)
	}
	return nil
}

// HostTaken is the refusal to enrol a host whose name is another machine's.
func HostTaken(hostname string) error {
	return deniedf("another machine has a token for host %q; if this one takes its place, revoke that token first ('vitals token list'), else give the agent another name with --hostname", hostname)
}

// Tokens returns the tokens that a caller may see: an admin all, others their
// own, by id.
func (d *Directory) Tokens(by Caller) []Token {
	return d.tokens(func(t Token) bool { return mayTouch(by, t) })
}

// mayTouch reports whether a caller may see and revoke a token.
func mayTouch(by Caller, t Token) bool {
	return by.Role == Admin || by.User != 0 && t.User == by.User || by.Token != 0 && t.ID == by.Token
}

// mayChange returns nil when a caller may rotate or revoke a token that it sees.
// An agent's or a fleet's token may not: who has stolen one would lock out those
// whose it is. Nor may a token of a lesser role than the other's.
func mayChange(by Caller, t Token) error {
	if by.Role == Admin {
		return nil
	}
	if by.User == 0 || !by.Role.Includes(t.Role) {
		return deniedf("a token of role %s cannot change one of role %s; ask an admin", by.Role, t.Role)
	}
	return nil
}

func (d *Directory) tokens(which func(Token) bool) []Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Token
	for _, t := range d.current.Load().tokens {
		if at := d.used[t.ID]; at.After(t.LastUsed) {
			t.LastUsed = at
		}
		if which(t) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Token) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// token returns a token that a caller may touch.
func (d *Directory) token(by Caller, id int64) (Token, error) {
	v := d.current.Load()
	t, ok := v.tokens[v.byID[id]]
	if !ok || !mayTouch(by, t) {
		return Token{}, ErrNoToken
	}
	return t, nil
}

// RotateToken gives a token a new secret in place of the old one.
//
// Errors: [ErrNoToken], *[DeniedError], [ErrUnavailable].
func (d *Directory) RotateToken(ctx context.Context, by Caller, id int64) (Secret, Token, error) {
	t, err := d.token(by, id)
	if err != nil {
		return Secret{}, Token{}, err
	}
	if err := mayChange(by, t); err != nil {
		return Secret{}, Token{}, err
	}
	if t.Kind == SessionToken {
		return Secret{}, Token{}, deniedf("a session cannot be rotated: sign in again")
	}
	secret := NewSecret(t.Kind)
	event := d.event(by, "token.rotate", t.describe(), "")
	if err := d.did(ctx, event, d.opts.Store.Rotate(ctx, id, secret.Hash(), event)); err != nil {
		return Secret{}, Token{}, err
	}
	return secret, t, nil
}

// RevokeToken removes a token.
//
// Errors: [ErrNoToken], *[DeniedError], [ErrUnavailable].
func (d *Directory) RevokeToken(ctx context.Context, by Caller, id int64) error {
	t, err := d.token(by, id)
	if err != nil {
		return err
	}
	if err := mayChange(by, t); err != nil {
		return err
	}
	event := d.event(by, "token.revoke", t.describe(), "")
	return d.did(ctx, event, d.opts.Store.DeleteTokens(ctx, []int64{id}, event))
}
