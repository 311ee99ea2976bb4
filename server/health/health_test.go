package health_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vitals-rpc/vitals/server/health"
)

func TestRegistry(t *testing.T) {
	var r health.Registry
	var broken error
	r.Add("b", func() error { return nil })
	r.Add("a", func() error { return broken })
	f := func(name string, wantProblem ...string) {
		t.Helper()
		status, err := r.Status(name)
		if err != nil || status.Healthy() != (len(wantProblem) == 0) {
			t.Errorf("Status(%q) = %v, %v", name, status, err)
		}
		for _, text := range wantProblem {
			if !strings.Contains(status.Problem.Error(), text) {
				t.Errorf("Status(%q): %q does not say %q", name, status.Problem, text)
			}
		}
	}
	f("")
	f(health.Server)
	f("a")
	broken = errors.New("no power")
	f("", "a: no power")
	f(health.Server, "a: no power")
	f("a", "no power")
	f("b")
	r.Add("b", func() error { return errors.New("no disk") }) // in place of the one before
	f("", "b: no disk", "a: no power")
	if names := r.Names(); !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("names %q are not in the order of registration", names)
	}
	_, err := r.Status("c")
	var unknown *health.UnknownComponentError
	if !errors.As(err, &unknown) || err.Error() != `service "c" is not known; known are: b, a` {
		t.Errorf("an unknown component: %v", err)
	}
	r.Stop()
	for _, name := range []string{"", health.Server, "a", "b"} {
		if status, err := r.Status(name); err != nil || !errors.Is(status.Problem, health.ErrStopping) {
			t.Errorf("stopping: Status(%q) = %v, %v", name, status, err)
		}
	}
}

func TestRegistryConcurrently(t *testing.T) {
	var r health.Registry
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				r.Add("a", func() error { return nil })
				_, _ = r.Status("")
				r.Names()
			}
		})
	}
	r.Stop()
	all.Wait()
}
