package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// enrolmentPrefix is how the tokens begin with which agents enrol.
const enrolmentPrefix = "vitals_enrol_"

// Token is what an agent calls with: a token of its own or, where it was given a
// fleet's, the one that it gets for that on first contact and keeps from then on.
// Its Source is safe for concurrent use.
type Token struct {
	// Given is the token that the operator gave, or "".
	Given string
	// Kept is the agent's own, from an earlier enrolment, or "".
	Kept string
	// Enrol asks the server for a token, with the given one.
	Enrol func(ctx context.Context) (string, error)
	// Keep keeps the new token where the next run finds it.
	Keep func(token string) error

	mu sync.Mutex
}

// Source returns the token to call with, "" for none. It enrols first where that
// is needed; an error of that comes again with the next call.
func (t *Token) Source(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !strings.HasPrefix(t.Given, enrolmentPrefix):
		return t.Given, nil
	case t.Kept != "":
		return t.Kept, nil
	}
	token, err := t.Enrol(ctx)
	if err != nil {
		return "", fmt.Errorf("enrolling: %w", err)
	}
	if err := t.Keep(token); err != nil {
		return "", fmt.Errorf("keeping the token that the server gave: %w", err)
	}
	t.Kept = token
	return token, nil
}
