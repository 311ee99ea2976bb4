package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/vitals-rpc/vitals/durable"
	"github.com/vitals-rpc/vitals/metric"
)

// fileVersion is raised when the format changes so that older programs would
// misread it.
const fileVersion = 1

// file is fleet.json.
type file struct {
	Version int           `json:"version"`
	Hosts   []Host        `json:"hosts"`
	Types   []metric.Type `json:"types"`
}

func (r *Registry) load() error {
	data, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading who reports: %w", err)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("%s is damaged (%w); move it away to start with an empty list of hosts, whose history stays", r.path, err)
	}
	if f.Version > fileVersion {
		return fmt.Errorf("%s was written by a newer vitals (format %d, this one reads up to %d); use that one", r.path, f.Version, fileVersion)
	}
	for _, h := range f.Hosts {
		r.hosts[h.Hostname] = &host{Host: h, agents: map[string]time.Time{}}
	}
	for _, t := range f.Types {
		r.types[t.Name] = t
	}
	return nil
}

// saveOften saves what changed, until Close.
func (r *Registry) saveOften() {
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(saveInterval)
		defer ticker.Stop()
		failed := false
		for {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
			err := r.save()
			if err != nil && !failed {
				r.logger.Warn("cannot save who reports; trying again", "error", err)
			}
			failed = err != nil
		}
	})
	r.stop = sync.OnceFunc(func() {
		close(stop)
		done.Wait()
	})
}

// Close saves what changed. The registry may still be read, but keeps nothing
// more.
func (r *Registry) Close() error {
	r.stop()
	return r.save()
}

// save writes the file if something changed.
func (r *Registry) save() error {
	if r.path == "" {
		return nil
	}
	r.mu.Lock()
	dirty := r.dirty
	f := file{Version: fileVersion}
	if dirty {
		for _, h := range r.hosts {
			f.Hosts = append(f.Hosts, h.Host)
		}
		for _, t := range r.types {
			f.Types = append(f.Types, t)
		}
		r.dirty = false
	}
	r.mu.Unlock()
	if !dirty {
		return nil
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		err = durable.WriteFile(r.path, data, 0o600)
	}
	if err != nil {
		r.mu.Lock()
		r.dirty = true
		r.mu.Unlock()
	}
	return err
}
