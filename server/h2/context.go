package h2

import (
	"context"
	"sync"
	"time"
)

// streamContext is the context of a request. It ends when the client resets the
// stream or is gone, when the handler returns, and when the server's base
// context ends.
//
// It is its own implementation because context.WithCancel costs two allocations
// and a lock shared by the whole connection. It has the method AfterFunc that
// package context looks for, so contexts made from it need no goroutine.
type streamContext stream

var _ context.Context = (*streamContext)(nil)

type contextState struct {
	mu    sync.Mutex
	done  chan struct{} // made when someone asks for it
	err   error
	funcs map[*afterFunc]struct{}
}

type afterFunc struct{ f func() }

// ended is a channel for those who ask late.
var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Deadline implements context.Context.
func (s *streamContext) Deadline() (time.Time, bool) { return s.c.base.Deadline() }

// Value implements context.Context.
func (s *streamContext) Value(key any) any { return s.c.base.Value(key) }

// Done implements context.Context.
func (s *streamContext) Done() <-chan struct{} {
	s.ctx.mu.Lock()
	defer s.ctx.mu.Unlock()
	if s.ctx.done == nil {
		if s.ctx.err != nil {
			s.ctx.done = ended
		} else {
			s.ctx.done = make(chan struct{})
		}
	}
	return s.ctx.done
}

// Err implements context.Context.
func (s *streamContext) Err() error {
	s.ctx.mu.Lock()
	defer s.ctx.mu.Unlock()
	return s.ctx.err
}

// AfterFunc runs f in a goroutine of its own when the context ends, unless stop
// is called before, which reports whether it was in time.
func (s *streamContext) AfterFunc(f func()) (stop func() bool) {
	s.ctx.mu.Lock()
	defer s.ctx.mu.Unlock()
	if s.ctx.err != nil {
		go f()
		return func() bool { return false }
	}
	a := &afterFunc{f}
	if s.ctx.funcs == nil {
		s.ctx.funcs = make(map[*afterFunc]struct{}, 1)
	}
	s.ctx.funcs[a] = struct{}{}
	return func() bool {
		s.ctx.mu.Lock()
		defer s.ctx.mu.Unlock()
		_, waiting := s.ctx.funcs[a]
		delete(s.ctx.funcs, a)
		return waiting
	}
}

// cancel ends the request's context.
func (st *stream) cancel() {
	st.ctx.mu.Lock()
	defer st.ctx.mu.Unlock()
	if st.ctx.err != nil {
		return
	}
	st.ctx.err = context.Canceled
	if st.ctx.done != nil {
		close(st.ctx.done)
	}
	for a := range st.ctx.funcs {
		go a.f()
	}
	st.ctx.funcs = nil
}
