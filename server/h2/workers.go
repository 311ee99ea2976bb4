package h2

import (
	"runtime"
	"sync"
	"time"
)

// workers run handlers. A new goroutine's stack is small and grows, by copying,
// with each call that goes deeper than any before; that was a fifth of a short
// call's cost. A worker that has done its work waits for more, newest first, with
// its stack grown. When there is no connection left, so is no worker.
type workers struct {
	mu    sync.Mutex
	idle  []*worker
	conns int
	timer *time.Timer
}

type worker struct {
	work  chan *stream
	since instant
}

const (
	workerPatience = 2 * time.Second // how long one waits for work
	idleWorkers    = 4096            // how many do
)

// run has a stream served.
func (w *workers) run(st *stream) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		free := w.idle[n-1]
		w.idle[n-1] = nil
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		free.work <- st
		return
	}
	w.mu.Unlock()
	go w.work(&worker{work: make(chan *stream, 1)}, st)
}

func (w *workers) work(own *worker, st *stream) {
	for st != nil {
		st.serve()
		if !w.park(own) {
			return
		}
		st = own.next()
	}
}

// next waits for work. The collector halves the stack of a goroutine that waits with
// less than a quarter of it in use; here this much is. Below a handler it is not, so
// that a stream which waits for long has no more than it needs.
func (w *worker) next() *stream {
	var ballast [4 << 10]byte
	st := <-w.work
	runtime.KeepAlive(&ballast)
	return st
}

// park lets a worker wait for more, unless enough do.
func (w *workers) park(own *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == 0 || len(w.idle) >= idleWorkers {
		return false
	}
	own.since = now()
	w.idle = append(w.idle, own)
	return true
}

// join is called for each connection that begins.
func (w *workers) join() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns++; w.conns > 1 {
		return
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(workerPatience, w.trim)
	} else {
		w.timer.Reset(workerPatience)
	}
}

// leave is called for each that ends.
func (w *workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns--; w.conns == 0 {
		w.timer.Stop()
		w.sendHome(len(w.idle))
	}
}

// trim sends those home that have waited longest.
func (w *workers) trim() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == 0 {
		return
	}
	n, at := 0, now()
	for n < len(w.idle) && at.since(w.idle[n].since) > workerPatience {
		n++
	}
	w.sendHome(n)
	w.timer.Reset(workerPatience)
}

func (w *workers) sendHome(n int) {
	for _, each := range w.idle[:n] {
		each.work <- nil
	}
	kept := copy(w.idle, w.idle[n:])
	clear(w.idle[kept:])
	w.idle = w.idle[:kept]
}
