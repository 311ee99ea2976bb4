package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
)

const fleetToken = enrolmentPrefix + "fleet"

func TestTokenThatCannotBeKeptIsUsed(t *testing.T) {
	var enrolled, written int
	var log bytes.Buffer
	disk := errors.New("no space left on device")
	token := NewToken(TokenOptions{
		Given:  fleetToken,
		Enrol:  func(context.Context) (string, error) { enrolled++; return "own", nil },
		Keep:   func(string) error { written++; return disk },
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 20 {
		if got, err := token.Source(t.Context()); got != "own" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if enrolled != 1 || written != 20 {
		t.Errorf("enrolled %d times, tried to write %d times", enrolled, written)
	}
	disk = nil
	for range 2 {
		if got, err := token.Source(t.Context()); got != "own" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if enrolled != 1 || written != 21 {
		t.Errorf("with room again: enrolled %d times, wrote %d times", enrolled, written)
	}
	if n := strings.Count(log.String(), "cannot be kept"); n != 1 || !strings.Contains(log.String(), "is kept") {
		t.Errorf("the log: %s", log.String())
	}
}

func TestTokenWaitsAsLongAsItsCaller(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	var enrolled atomic.Int32
	token := NewToken(TokenOptions{
		Given: fleetToken,
		Enrol: func(context.Context) (string, error) {
			enrolled.Add(1)
			close(asked)
			<-answer
			return "own", nil
		},
		Keep: func(string) error { return nil },
	})
	first, second := make(chan string, 1), make(chan string, 1)
	source := func(out chan string) {
		got, err := token.Source(t.Context())
		if err != nil {
			t.Error(err)
		}
		out <- got
	}
	go source(first)
	<-asked
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := token.Source(hurried); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	go source(second)
	close(answer)
	if a, b := <-first, <-second; a != "own" || b != "own" || enrolled.Load() != 1 {
		t.Errorf("%q and %q after %d enrolments", a, b, enrolled.Load())
	}
}

func TestTokenSource(t *testing.T) {
	f := func(given, kept, want string) {
		t.Helper()
		token := NewToken(TokenOptions{Given: given, Kept: kept, Enrol: func(context.Context) (string, error) { return "", errors.New("refused") }})
		got, err := token.Source(t.Context())
		if got != want || (err != nil) != (want == "" && given != "") {
			t.Errorf("given %q, kept %q: %q, %v", given, kept, got, err)
		}
	}
	f("", "", "")
	f("vitals_agent_x", "old", "vitals_agent_x")
	f(fleetToken, "old", "old")
	f(fleetToken, "", "")
}
