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

// Check returns nil when the named component works and otherwise what is wrong.
// The empty name and [Server] mean all of them together. known is false when
// there is no such component.
func (r *Registry) Check(name string) (known bool, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	check := r.checks[name]
	whole := name == "" || name == Server
	switch {
	case check == nil && !whole:
		return false, &UnknownComponentError{Name: name, Known: slices.Clone(r.names)}
	case r.stopping:
		return true, ErrStopping
	case !whole:
		return true, check()
	}
	var errs []error
	for _, n := range r.names {
		if err := r.checks[n](); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n, err))
		}
	}
	return true, errors.Join(errs...)
}
