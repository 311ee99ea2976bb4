package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// enrolmentPrefix is how the tokens begin with which agents enrol.
const enrolmentPrefix = "vitals_enrol_"

// TokenOptions configures a [Token].
type TokenOptions struct {
	// Given is the token that the operator gave, or "".
	Given string
	// Kept is the agent's own, from an earlier enrolment, or "".
	Kept string
	// Enrol asks the server for a token, with the given one.
	Enrol func(ctx context.Context) (string, error)
	// Keep keeps the new token where the next run finds it.
	Keep func(token string) error
	// Logger hears when that fails, and when it has succeeded after all. Default:
	// slog.Default().
	Logger *slog.Logger
}

// Token is what an agent calls with: a token of its own or, where it was given a
// fleet's, the one that it gets for that on first contact and keeps from then on.
// Its Source is safe for concurrent use.
type Token struct {
	opts      TokenOptions
	enrolling chan struct{} // holds whoever enrols

	mu     sync.Mutex
	own    string
	unkept bool // the own one is in memory alone

	writing sync.Mutex // around Keep
	failing bool       // Keep, the last time
}

// NewToken returns a token that enrols when it is first asked for.
func NewToken(opts TokenOptions) *Token {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return &Token{opts: opts, enrolling: make(chan struct{}, 1), own: opts.Kept}
}

// Source returns the token to call with, "" for none. It enrols first where that
// is needed; an error of that comes again with the next call. A token that cannot
// be kept, as on a full disk, is called with all the same, for another enrolment
// would be one more use of the fleet's; each call tries again to keep it.
func (t *Token) Source(ctx context.Context) (string, error) {
	if !strings.HasPrefix(t.opts.Given, enrolmentPrefix) {
		return t.opts.Given, nil
	}
	own, unkept := t.current()
	if own == "" {
		if err := t.enrol(ctx); err != nil {
			return "", fmt.Errorf("enrolling: %w", err)
		}
		own, unkept = t.current()
	}
	if unkept {
		t.keep(own)
	}
	return own, nil
}

func (t *Token) current() (own string, unkept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own, t.unkept
}

// enrol gets a token, unless another caller has meanwhile.
func (t *Token) enrol(ctx context.Context) error {
	select {
	case t.enrolling <- struct{}{}:
		defer func() { <-t.enrolling }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if own, _ := t.current(); own != "" {
		return nil
	}
	token, err := t.opts.Enrol(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.own, t.unkept = token, true
	return nil
}

// keep writes the token down, unless another caller is at it.
func (t *Token) keep(token string) {
	if !t.writing.TryLock() {
		return
	}
	defer t.writing.Unlock()
	err := t.opts.Keep(token)
	switch {
	case err != nil && !t.failing:
		t.opts.Logger.Warn("the token that the server gave cannot be kept: a restart would enrol again; trying again", "error", err)
	case err == nil && t.failing:
		t.opts.Logger.Info("the token that the server gave is kept")
	}
	t.failing = err != nil
	if err == nil {
		t.mu.Lock()
		t.unkept = false
		t.mu.Unlock()
	}
}
