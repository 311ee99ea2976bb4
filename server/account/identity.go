package account

import (
	"context"
	"time"
)

// Means is how a caller has shown who it is.
type Means string

// The means.
const (
	Anonymous     Means = "anonymous"
	ByToken       Means = "token"
	BySession     Means = "session"
	ByCertificate Means = "certificate"
	// InPerson is by having the data folder.
	InPerson Means = "data folder"
)

// Identity is who a caller is. The zero value is someone who may do nothing.
type Identity struct {
	// Name is for logs and the record of events, such as "alice" or "agent web-1".
	Name string
	Role Role
	By   Means
	// User is the user's id, 0 where the caller is none.
	User int32
	// Token is the token's id, 0 where the caller came without, and Kind its kind.
	Token int64
	Kind  Kind
	// Hostname is the only host that the caller may report for, where the role is
	// Agent; HostID is that host's id, empty for any.
	Hostname, HostID string
	// Expires is when the token does; zero: never.
	Expires time.Time

	hash Hash // of the token, by which it is looked up again
}

// May reports whether the caller may do what asks for a role.
func (id Identity) May(role Role) bool {
	if id.By == Anonymous && role == SignedIn {
		return id.Role == Admin // whoever is on the server's own machine, as long as there are no accounts
	}
	return id.Role.Includes(role)
}

// MayReport returns nil when the caller may report samples of a host, which
// introduced itself by an id unless that is empty.
//
// Errors: *[DeniedError].
func (id Identity) MayReport(hostname, hostID string) error {
	switch {
	case id.Role != Agent:
		return nil
	case hostname != id.Hostname:
		return deniedf("this token is for host %q and may not report for host %q; make one with 'vitals token create --host %s NAME', or let the agent enrol", id.Hostname, hostname, hostname)
	case id.HostID != "" && hostID != "" && hostID != id.HostID:
		return deniedf("this token is for another machine under the name %q: the host id differs; give the agent a token of its own", hostname)
	}
	return nil
}

// Owner is who has the data folder, as whoever runs a command on it.
func Owner(name string) Identity { return Identity{Name: name, Role: Admin, By: InPerson} }

// Caller is an identity and where it calls from.
type Caller struct {
	Identity
	// Peer is the address, for the record of events.
	Peer string
}

type callerKey struct{}

// CallerFrom returns who calls; the zero value where ctx is of no call.
func CallerFrom(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return *c
	}
	return Caller{}
}

// WithCaller returns a context of a call by that caller.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return &callerContext{ctx, caller}
}

// callerContext has its value in itself: every call has one.
type callerContext struct {
	context.Context //nolint:containedctx // it is one
	caller          Caller
}

// Value implements context.Context.
func (c *callerContext) Value(key any) any {
	if key == (callerKey{}) {
		return &c.caller
	}
	return c.Context.Value(key)
}
