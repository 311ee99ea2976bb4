package balance

import (
	"context"
	"slices"
	"sync"
)

type triedKey struct{}

// Tried remembers where the tries of one call went. Make one with [Avoid].
type Tried struct {
	mu   sync.Mutex
	list []*endpoint
	at   *Balancer
}

// Avoid returns a context whose calls each go to a server that the ones before did
// not go to, as long as there is one.
func Avoid(ctx context.Context) (context.Context, *Tried) {
	t := &Tried{}
	return context.WithValue(ctx, triedKey{}, t), t
}

// Elsewhere reports whether there is another server that is well.
func (t *Tried) Elsewhere() bool {
	t.mu.Lock()
	at := t.at
	t.mu.Unlock()
	return at != nil && at.elsewhere(t)
}

func triedOf(ctx context.Context) *Tried {
	t, _ := ctx.Value(triedKey{}).(*Tried)
	return t
}

func (t *Tried) has(e *endpoint) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.list, e)
}

func (t *Tried) add(e *endpoint) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, e)
}

func (t *Tried) balancer(b *Balancer) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = b
}

type stayKey struct{}

type stay struct {
	mu sync.Mutex
	at *endpoint
}

// Stay returns a context whose calls go to one and the same server, as long as it
// is well: the one that the first of them goes to.
func Stay(ctx context.Context) context.Context {
	return context.WithValue(ctx, stayKey{}, &stay{})
}

func stayOf(ctx context.Context) *stay {
	s, _ := ctx.Value(stayKey{}).(*stay)
	return s
}

func (s *stay) endpoint() *endpoint {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *stay) set(e *endpoint) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = e
}

type resumableKey struct{}

// Resumable marks the streams of a context as such that their reader opens again
// when they break. With the policy [First] they end when a server before theirs is
// well again, so that all callers meet there.
func Resumable(ctx context.Context) context.Context {
	return context.WithValue(ctx, resumableKey{}, true)
}

func resumable(ctx context.Context) bool {
	yes, _ := ctx.Value(resumableKey{}).(bool)
	return yes
}
