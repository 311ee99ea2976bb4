package admission_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/admission"
)

// wantRefused demands a refusal for this reason, with a time to come back.
func wantRefused(t *testing.T, err error, reason admission.Reason) {
	t.Helper()
	refused, ok := errors.AsType[*admission.RefusedError](err)
	if !ok || refused.Reason != reason || refused.RetryAfter <= 0 {
		t.Errorf("%v, want a refusal for %s", err, reason)
	}
}

func TestCalls(t *testing.T) {
	g := admission.New(admission.Options{CallsPerSecond: 10})
	for i := range 20 {
		if err := g.Caller("a").Arrive(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	err := g.Caller("a").Arrive()
	wantRefused(t, err, admission.TooManyCalls)
	if err := g.Caller("b").Arrive(); err != nil {
		t.Errorf("another caller: %v", err)
	}
	refused, _ := errors.AsType[*admission.RefusedError](err)
	deadline := time.Now().Add(30 * time.Second)
	for time.Sleep(refused.RetryAfter); ; time.Sleep(time.Millisecond) {
		if err = g.Caller("a").Arrive(); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the time to wait: %v", err)
		}
	}
	for range 100 {
		if err := g.Caller("").Arrive(); err != nil {
			t.Fatalf("a caller without a name: %v", err)
		}
	}
	if g.Refused(admission.TooManyCalls) == 0 || g.Refused(admission.TooManyBytes) != 0 {
		t.Error("refusals are counted wrong")
	}
}

func TestBytes(t *testing.T) {
	g := admission.New(admission.Options{BytesPerSecond: 1000})
	if err := g.Caller("a").Send(4000); err != nil {
		t.Fatal(err)
	}
	if err := g.Caller("a").Arrive(); err != nil {
		t.Error(err)
	}
	wantRefused(t, g.Caller("a").Send(1000), admission.TooManyBytes)
	wantRefused(t, g.Caller("a").Arrive(), admission.TooManyBytes) // before there is more
	if err := g.Caller("b").Arrive(); err != nil {
		t.Error(err)
	}
	if err := g.Caller("a").Send(0); err != nil {
		t.Error(err)
	}
	if err := admission.New(admission.Options{BytesPerSecond: -1}).Caller("a").Send(1 << 40); err != nil {
		t.Error(err)
	}
}

func TestStreams(t *testing.T) {
	g := admission.New(admission.Options{StreamsPerCaller: 2})
	first, err := g.Caller("a").Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Caller("a").Open(); err != nil {
		t.Fatal(err)
	}
	_, err = g.Caller("a").Open()
	wantRefused(t, err, admission.TooManyStreams)
	if _, err := g.Caller("b").Open(); err != nil {
		t.Error(err)
	}
	first()
	if _, err := g.Caller("a").Open(); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
}

func TestWork(t *testing.T) {
	g := admission.New(admission.Options{CallsAtWork: 1, Wait: 20 * time.Millisecond})
	place, err := g.Caller("").Work(t.Context())
	if err != nil || g.AtWork() != 1 {
		t.Fatal(err, g.AtWork())
	}
	_, err = g.Caller("a").Work(t.Context())
	wantRefused(t, err, admission.TooMuchWork)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Caller("").Work(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was canceled", err)
	}
	place.Leave()
	place.Leave()
	other, err := g.Caller("a").Work(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := place.Return(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was canceled", err)
	}
	other.Leave()
	if err := errors.Join(place.Return(t.Context()), place.Return(t.Context())); err != nil || g.AtWork() != 1 {
		t.Error(err, g.AtWork())
	}
	place.Leave()
	if g.AtWork() != 0 {
		t.Errorf("%d are at work when all have left", g.AtWork())
	}
}

// TestOwnWork has a caller take all places that it may have: its next call waits,
// and another's does not.
func TestOwnWork(t *testing.T) {
	g := admission.New(admission.Options{CallsAtWork: 10, CallsAtWorkPerCaller: 2, Wait: time.Millisecond})
	var places []admission.Place
	for range 2 {
		place, err := g.Caller("a").Work(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, place)
	}
	_, err := g.Caller("a").Work(t.Context())
	wantRefused(t, err, admission.TooMuchOwnWork)
	for _, other := range []string{"b", ""} {
		place, err := g.Caller(other).Work(t.Context())
		if err != nil {
			t.Fatalf("caller %q: %v", other, err)
		}
		place.Leave()
	}
	if g.AtWork() != 2 {
		t.Errorf("%d are at work", g.AtWork())
	}
	places[0].Leave()
	if _, err := g.Caller("a").Work(t.Context()); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := places[0].Return(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was canceled", err)
	}
}

// TestFewWait bounds how many calls of a caller wait, whose messages are in memory.
func TestFewWait(t *testing.T) {
	g := admission.New(admission.Options{CallsAtWorkPerCaller: 1, Wait: time.Hour})
	if _, err := g.Caller("a").Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var refused atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := g.Caller("a").Work(ctx); !errors.Is(err, context.Canceled) {
				wantRefused(t, err, admission.TooMuchOwnWork)
				refused.Add(1)
			}
		})
	}
	for deadline := time.Now().Add(30 * time.Second); refused.Load() < 60; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 100 were refused", refused.Load())
		}
	}
	cancel()
	all.Wait()
}

// TestHold has a caller refused again and again: each refusal is to be kept back
// longer, up to a second.
func TestHold(t *testing.T) {
	g := admission.New(admission.Options{CallsPerSecond: 1})
	held := func(name string) time.Duration {
		for {
			if refused, ok := errors.AsType[*admission.RefusedError](g.Caller(name).Arrive()); ok {
				return refused.Hold
			}
		}
	}
	if first := held("a"); first <= 0 || first > 10*time.Millisecond {
		t.Errorf("the first refusal is held back for %s", first)
	}
	longest := time.Duration(0)
	for range 500 {
		longest = max(longest, held("a"))
	}
	if longest < 500*time.Millisecond || longest > time.Second {
		t.Errorf("the refusals of who does not pause are held back for up to %s", longest)
	}
	if other := held("b"); other > 10*time.Millisecond {
		t.Errorf("another caller's is held back for %s", other)
	}
}

func TestMemory(t *testing.T) {
	wantRefused(t, admission.New(admission.Options{MaxMemory: 1}).Caller("a").Arrive(), admission.TooMuchMemory)
	if err := admission.New(admission.Options{MaxMemory: 1 << 50}).Caller("a").Arrive(); err != nil {
		t.Error(err)
	}
}

// TestManyNames gives each call another name: the table stays bounded, and who
// was there before keeps a place of its own.
func TestManyNames(t *testing.T) {
	g := admission.New(admission.Options{MaxCallers: 320, CallsPerSecond: 5})
	if err := g.Caller("me").Arrive(); err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	for i := range 8 {
		crowd.Go(func() {
			for n := range 2000 {
				_ = g.Caller(strconv.Itoa(i*2000 + n)).Arrive() // most are refused, which is the point
			}
		})
	}
	crowd.Wait()
	if n := g.Callers(); n > 352 {
		t.Errorf("%d callers are told apart", n)
	}
	if g.Refused(admission.TooManyCalls) == 0 {
		t.Error("a crowd of new names was never refused")
	}
	if err := g.Caller("me").Arrive(); err != nil {
		t.Errorf("who was there before is refused: %v", err)
	}
}
