// Package loglimit bounds how much a log can be made to grow by those who are
// logged: of one kind of record, so many a second pass, and then one that says how
// many were left out.
package loglimit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// PerSecond is how many records of one message pass in a second.
const PerSecond = 100

// mostMessages is how many messages are told apart; further ones share a bound. A
// message is a constant of the program's, so that there are far fewer.
const mostMessages = 1000

// Handler passes records on to another handler. Make one with [New].
type Handler struct {
	next   slog.Handler
	shared *shared
}

type shared struct {
	root   slog.Handler // has no attributes of one caller's
	except []string

	mu      sync.Mutex
	windows map[string]*window // by message
}

// window is a second of one message's records.
type window struct {
	began        time.Time
	passed, left int
}

// New bounds what next gets: all but records below [slog.LevelInfo], which the
// operator has asked for, and records of the messages in except. What was left out
// is told when its second is over, at [slog.LevelWarn]. A Handler of New's is
// returned as it is.
func New(next slog.Handler, except ...string) *Handler {
	if h, ok := next.(*Handler); ok {
		return h
	}
	return &Handler{next: next, shared: &shared{root: next, except: except, windows: map[string]*window{}}}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler. The bounds are shared.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrs), shared: h.shared}
}

// WithGroup implements slog.Handler. The bounds are shared.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), shared: h.shared}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo || h.shared.pass(r.Message, time.Now()) {
		return h.next.Handle(ctx, r)
	}
	return nil
}

func (s *shared) pass(message string, now time.Time) bool {
	if slices.Contains(s.except, message) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[message]
	if w == nil {
		if len(s.windows) >= mostMessages {
			message = ""
		}
		if w = s.windows[message]; w == nil {
			w = &window{}
			s.windows[message] = w
		}
	}
	if now.Sub(w.began) >= time.Second {
		w.began, w.passed = now, 0
	}
	if w.passed < PerSecond {
		w.passed++
		return true
	}
	if w.left++; w.left == 1 {
		time.AfterFunc(w.began.Add(time.Second).Sub(now), func() { s.tell(w, message) })
	}
	return false
}

// tell says how many records were left out.
func (s *shared) tell(w *window, message string) {
	s.mu.Lock()
	left := w.left
	w.left = 0
	s.mu.Unlock()
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "records were left out of the log", 0)
	r.AddAttrs(slog.String("of", message), slog.Int("records", left))
	_ = s.root.Handle(context.Background(), r) // as slog.Logger does
}
