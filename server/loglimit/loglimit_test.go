package loglimit_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/loglimit"
)

// log is what was written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), fmt.Sprintf("msg=%q", message))
}

func (l *log) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func TestBound(t *testing.T) {
	const many = 50 * loglimit.PerSecond
	var written log
	logger := slog.New(loglimit.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug}), "kept always"))
	start := time.Now()
	for i := range many {
		logger.With("i", i).WithGroup("g").Info("a call", "j", i) // one bound, whatever goes with it
		logger.Debug("a detail")
		logger.Warn("kept always")
	}
	logger.Info("another one")
	seconds := int(time.Since(start)/time.Second) + 1
	f := func(message string, least, most int) {
		t.Helper()
		if n := written.count(message); n < least || n > most {
			t.Errorf("%d records of %q, want %d to %d", n, message, least, most)
		}
	}
	f("a call", loglimit.PerSecond, seconds*loglimit.PerSecond)
	f("a detail", many, many)
	f("kept always", many, many)
	f("another one", 1, 1)
	for deadline := time.Now().Add(15 * time.Second); !written.has(`level=WARN msg="records were left out of the log" of="a call" records=`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody is told that records were left out")
		}
	}
	if written.has(`of="another one"`) || written.has("g.records") {
		t.Error("something else was left out, or the record has another's attributes")
	}
}
