package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// pause waits for a random time: this is when things break, not how long
// something takes.
func pause(least, most time.Duration) {
	time.Sleep(least + rand.N(most-least))
}

// TestServerKilled kills the server while agents report, and leaves it down for
// a while in between.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	agents := []*recordingAgent{
		newRecordingAgent(t, s.url, "web-1", 100*time.Millisecond),
		newRecordingAgent(t, s.url, "web-2", 100*time.Millisecond),
	}
	for _, a := range agents {
		a.start()
	}
	kills := times(20)
	for n := range kills {
		pause(100*time.Millisecond, time.Second)
		if n%8 == 5 { // in order, once in a while
			if code, _ := s.stop(); code != 0 {
				t.Errorf("the server ended with code %d", code)
			}
		} else {
			s.kill()
		}
		if n == kills/2 {
			time.Sleep(4 * time.Second)
		}
		s.up()
	}
	for _, a := range agents {
		a.settle()
	}
	s.kill()
	history := openHistory(t, s.dir)
	for _, a := range agents {
		checkStored(t, history, a.truth())
	}
}

// TestAgentKilled kills an agent while it reports, and while the server is away.
func TestAgentKilled(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	a := newRecordingAgent(t, s.url, "web-1", 20*time.Millisecond)
	kills := times(20)
	for n := range kills {
		switch n {
		case kills / 3:
			s.kill()
		case kills / 2:
			s.up()
		}
		before := len(a.truth().rounds)
		a.start()
		eventually(t, "the agent has begun", func() bool { return len(a.truth().rounds) > before })
		pause(0, 1500*time.Millisecond)
		a.kill()
	}
	a.settle()
	s.kill()
	checkStored(t, openHistory(t, s.dir), a.truth())
}
