// Package health tells whether the server and its components do their work. Each
// transport asks it in its own words: CheckHealth, grpc.health.v1, /readyz.
package health

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Names that callers ask about.
const (
	// Server is the whole server, beside the empty name.
	Server = "vitals"
	// API answers requests.
	API = "api"
	// Collector measures the host that the server runs on.
	Collector = "collector"
	// Store keeps history.
	Store = "store"
	// Live holds the newest samples.
	Live = "live"
)

// ErrStopping is what every component reports once the server is draining.
var ErrStopping = errors.New("the server is stopping")

// UnknownComponentError says that there is no component of that name.
type UnknownComponentError struct {
	Name string
	// Known are the names of the components that there are.
	Known []string
}

func (e *UnknownComponentError) Error() string {
	return fmt.Sprintf("service %q is not known; known are: %s", e.Name, strings.Join(e.Known, ", "))
}

// Check returns nil while a component works, and otherwise what is wrong with
// it, for an operator to read. It must be fast and safe for concurrent use.
type Check func() error

// Registry holds the components' checks. The zero value is ready to use.
type Registry struct {
	mu       sync.RWMutex
	names    []string
	checks   map[string]Check
	stopping bool
}

// Add registers a component under a name, replacing one of the same name.
func (r *Registry) Add(name string, check Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checks == nil {
		r.checks = map[string]Check{}
	}
	if _, ok := r.checks[name]; !ok {
		r.names = append(r.names, name)
	}
	r.checks[name] = check
}

// Stop makes every check fail with [ErrStopping], so that load balancers send
// nothing more.
func (r *Registry) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
}

// Names returns the components' names in the order of registration.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.names)
}

// Status is the state of a component.
type Status struct {
	// Problem is what is wrong, for an operator to read; nil when nothing is.
	Problem error
}

// Healthy reports whether the component does its work.
func (s Status) Healthy() bool { return s.Problem == nil }

// Status returns the state of the named component. The empty name and [Server]
// mean all of them together.
//
// Errors: *[UnknownComponentError].
func (r *Registry) Status(name string) (Status, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	check := r.checks[name]
	whole := name == "" || name == Server
	switch {
	case check == nil && !whole:
		return Status{}, &UnknownComponentError{Name: name, Known: slices.Clone(r.names)}
	case r.stopping:
		return Status{ErrStopping}, nil
	case !whole:
		return Status{check()}, nil
	}
	var problems []error
	for _, n := range r.names {
		if err := r.checks[n](); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", n, err))
		}
	}
	return Status{errors.Join(problems...)}, nil
}
