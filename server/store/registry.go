package store

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// registry lets the TSDB register its metrics again when it is opened again:
// it remembers what was registered through it and takes the place of what an
// earlier store has left behind.
type registry struct {
	target prometheus.Registerer
	mu     sync.Mutex
	mine   []prometheus.Collector
}

func newRegistry(target prometheus.Registerer) *registry { return &registry{target: target} }

func (r *registry) Register(c prometheus.Collector) error {
	err := r.target.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		r.target.Unregister(already.ExistingCollector)
		err = r.target.Register(c)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mine = append(r.mine, c)
	return nil
}

func (r *registry) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

func (r *registry) Unregister(c prometheus.Collector) bool { return r.target.Unregister(c) }

func (r *registry) unregisterAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.mine {
		r.target.Unregister(c)
	}
	r.mine = nil
}
