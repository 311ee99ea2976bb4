// Package account knows who may do what: users, their roles, the tokens by which
// callers prove who they are, and the record of what was done to them. It knows
// no RPC; [Directory] is its door.
package account

import (
	"context"
	"time"
)

// User is a person or a program with an account.
type User struct {
	ID    int32
	Name  string
	Email string
	Role  Role
	// Password is the password's hash in PHC form, or empty.
	Password string
	Created  time.Time
}

// Token is what is known of a token; not its secret.
type Token struct {
	ID   int64
	Kind Kind
	Name string
	// Hash is of the secret.
	Hash Hash
	Role Role
	// User is whose it is; 0 for an agent's and an enrolment's.
	User int32
	// Hostname and HostID are the host that an agent's token is for; an empty
	// HostID binds it to the name only.
	Hostname, HostID string
	Created          time.Time
	CreatedBy        string
	// Expires and LastUsed are zero for never.
	Expires, LastUsed time.Time
	// Uses is how many agents an enrolment token has enrolled, MaxUses how many
	// it may; 0: no limit.
	Uses, MaxUses int
}

// Event is a thing that was done to accounts, tokens or settings.
type Event struct {
	ID   int64
	Time time.Time
	// Actor is who did it, Action what, Target to what.
	Actor, Action, Target string
	// Detail is what more there is to say, Peer from which address.
	Detail, Peer string
}

// Content is all that calls are judged by.
type Content struct {
	Users  []User  // by ID
	Tokens []Token // by ID
}

// Store keeps accounts. Each change is kept together with its event, or not at
// all, and outlives a crash once the method has returned. Several processes may
// have one open. Its methods are safe for concurrent use.
//
// Errors that are none of those named mean that the storage failed.
type Store interface {
	// Load returns everything.
	Load(context.Context) (Content, error)
	// Version returns a number that is another one when another process has
	// changed something.
	Version(context.Context) (int64, error)
	// AddUser keeps a new user and gives it its ID. Errors: [ErrExists], [ErrFull].
	AddUser(context.Context, User, Event) (User, error)
	// SetRole changes the role of a user and nothing else. Errors: [ErrNoUser],
	// [ErrLastAdmin].
	SetRole(ctx context.Context, user int32, role Role, event Event) error
	// SetPassword changes the password's hash of a user and nothing else. Errors:
	// [ErrNoUser].
	SetPassword(ctx context.Context, user int32, hash string, event Event) error
	// DeleteUser removes a user and its tokens. Errors: [ErrNoUser], [ErrLastAdmin].
	DeleteUser(context.Context, int32, Event) error
	// AddToken keeps a new token and gives it its ID. Errors: [ErrNoUser], [ErrFull].
	AddToken(context.Context, Token, Event) (Token, error)
	// Enrol keeps an agent's new token in place of those that its host has under
	// the same host id, and counts the use of the enrolment token: unless it takes
	// the place of one by the same CreatedBy that was never used, whose secret did
	// not reach the agent. Errors: [ErrNoToken] when the enrolment token is gone,
	// [ErrUsedUp], [ErrFull], *[DeniedError] when the host has a token with another
	// host id.
	Enrol(ctx context.Context, enrolment int64, token Token, event Event) (Token, error)
	// Rotate gives a token another hash. Errors: [ErrNoToken].
	Rotate(context.Context, int64, Hash, Event) error
	// DeleteTokens removes tokens, with one event for all. Errors: [ErrNoToken]
	// when none of them is there.
	DeleteTokens(context.Context, []int64, Event) error
	// Touch notes when tokens were last used.
	Touch(context.Context, map[int64]time.Time) error
	// Record keeps an event by itself.
	Record(context.Context, Event) error
	// Events returns the newest events with an ID less than before, or of all
	// where that is 0, newest first.
	Events(ctx context.Context, limit int, before int64) ([]Event, error)
	// Close closes the store.
	Close() error
}

// How much a store takes.
const (
	MaxUsers  = 10_000
	MaxTokens = 100_000
	// MaxEvents are kept; the oldest go.
	MaxEvents = 10_000
)
