package servertest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Log is what a server has logged, as text and at every level. It is shown with
// the test where that fails or is verbose.
type Log struct {
	mu     sync.Mutex
	tb     testing.TB
	text   bytes.Buffer
	closed bool
}

func newLog(tb testing.TB) *Log { return &Log{tb: tb} }

func (l *Log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if !l.closed { // a handler may outlive its test by a moment, which may not log then
		l.tb.Log(strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}

func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// String returns all that was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the records that contain all these texts.
func (l *Log) Lines(texts ...string) []string {
	var lines []string
next:
	for line := range strings.Lines(l.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		lines = append(lines, line)
	}
	return lines
}
