package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"
)

// raw is the TSDB with every sample. It counts who uses it, because the TSDB
// unmaps its files on Close without asking whether somebody reads them.
type raw struct {
	options Options
	metrics *registry
	// walFailed is set when the TSDB could not write one of its logs, also where
	// it keeps that to itself.
	walFailed atomic.Bool
	repaired  atomic.Int64
	// oooWindow is how far behind the newest sample one may be, in milliseconds: the
	// option's, or more where the newest is ahead of the clock.
	oooWindow atomic.Int64

	mu      sync.Mutex
	changed *sync.Cond
	db      *tsdb.DB
	users   int
	state   rawState
}

type rawState uint8

const (
	rawOpen rawState = iota
	rawReopening
	rawClosed
)

// SamplesPerChunk is how many samples a chunk of raw history aims at. It is four
// times what the TSDB has by itself, which is made for samples fifteen seconds
// apart and not one: what a chunk takes beside its samples, in its file and in
// the index, is then a twelfth of a byte a sample and not a third, and a chunk is
// still only eight minutes. XOR2, the newer encoding, packs chunks of 120 samples
// a little better but longer ones at twice the space, as it writes a start time
// with each sample from the 128th on.
const SamplesPerChunk = 480

// reopenWait bounds how long a reader waits for a reopening; a query that
// already holds the old database would otherwise wait for itself.
const reopenWait = 5 * time.Second

func openRaw(options Options) (*raw, error) {
	r := &raw{options: options, metrics: newRegistry(options.Registerer)}
	r.changed = sync.NewCond(&r.mu)
	r.oooWindow.Store(options.OutOfOrderWindow.Milliseconds())
	db, err := r.open()
	if err != nil {
		r.metrics.unregisterAll()
		return nil, err
	}
	r.db = db
	return r, nil
}

func (r *raw) open() (*tsdb.DB, error) {
	dir := filepath.Join(r.options.Dir, "raw")
	if err := r.dropMarkers(dir); err != nil {
		return nil, fmt.Errorf("the log of late samples in %s cannot be prepared: %w", dir, plain(err))
	}
	o := tsdb.DefaultOptions()
	o.RetentionDuration = r.options.RawRetention.Milliseconds()
	o.MaxBytes = r.options.RawRetentionBytes
	o.OutOfOrderTimeWindow = r.oooWindow.Load()
	o.MaxBlockDuration = max(o.MinBlockDuration, min(o.RetentionDuration/10, (31*day).Milliseconds()))
	o.WALCompression = compression.Snappy
	o.NoLockfile = true
	o.FloatChunkEncoding = chunkenc.EncXOR
	o.SamplesPerChunk = SamplesPerChunk
	logger := slog.New(&tsdbLog{Handler: r.options.Logger.Handler(), raw: r})
	var registerer prometheus.Registerer
	if r.options.Registerer != nil {
		registerer = r.metrics
	}
	db, err := tsdb.Open(dir, logger, registerer, o, nil)
	if err != nil {
		return nil, fmt.Errorf("the raw history in %s cannot be opened: %w", dir, plain(err))
	}
	return db, nil
}

// acquire returns the database for as long as release has not been called.
func (r *raw) acquire() (*tsdb.DB, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == rawReopening {
		expired := false
		timer := time.AfterFunc(reopenWait, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			expired = true
			r.changed.Broadcast()
		})
		defer timer.Stop()
		for r.state == rawReopening && !expired {
			r.changed.Wait()
		}
	}
	switch {
	case r.state == rawClosed:
		return nil, ErrClosed
	case r.state == rawReopening || r.db == nil:
		return nil, ErrUnavailable
	}
	r.users++
	return r.db, nil
}

func (r *raw) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users--
	if r.users == 0 {
		r.changed.Broadcast()
	}
}

// reopen closes the database and opens it again from its logs, which mends
// whatever a failed write has left in them. It waits until nobody reads, and calls
// between before anybody can read again.
func (r *raw) reopen(between func()) error {
	r.mu.Lock()
	if r.state != rawOpen {
		r.mu.Unlock()
		return ErrClosed
	}
	r.state = rawReopening
	for r.users > 0 {
		r.changed.Wait()
	}
	old := r.db
	r.db = nil
	r.mu.Unlock()

	if old != nil {
		if err := old.Close(); err != nil {
			r.options.Logger.Warn("closing the raw history after a failed write", "error", err)
		}
	}
	r.metrics.unregisterAll()
	r.walFailed.Store(false)
	db, err := r.open()

	r.mu.Lock()
	defer r.mu.Unlock()
	between()
	r.db = db
	r.state = rawOpen
	r.changed.Broadcast()
	return err
}

// close waits until nobody reads, then closes the database.
func (r *raw) close() error {
	r.mu.Lock()
	for r.state == rawReopening {
		r.changed.Wait()
	}
	if r.state == rawClosed {
		r.mu.Unlock()
		return nil
	}
	r.state = rawClosed
	r.changed.Broadcast()
	for r.users > 0 {
		r.changed.Wait()
	}
	db := r.db
	r.db = nil
	r.mu.Unlock()
	defer r.metrics.unregisterAll()
	if db == nil {
		return nil
	}
	return db.Close()
}

// querier returns a reader of raw samples from mint to maxt, both included. Its
// Close must be called.
func (r *raw) querier(mint, maxt int64) (storage.Querier, error) {
	db, err := r.acquire()
	if err != nil {
		return nil, err
	}
	q, err := db.Querier(mint, maxt)
	if err != nil {
		r.release()
		return nil, err
	}
	return &rawQuerier{Querier: q, raw: r}, nil
}

type rawQuerier struct {
	storage.Querier
	raw  *raw
	once sync.Once
}

func (q *rawQuerier) Close() error {
	err := q.Querier.Close()
	q.once.Do(q.raw.release)
	return err
}

// oldest is the time of the oldest raw sample, or ok false if there is none.
func (r *raw) oldest() (t int64, ok bool, err error) {
	db, err := r.acquire()
	if err != nil {
		return 0, false, err
	}
	defer r.release()
	head := db.Head()
	t = min(head.MinTime(), head.MinOOOTime())
	for _, b := range db.Blocks() {
		t = min(t, b.MinTime())
	}
	return t, t != maxTime, nil
}

// tsdbLog passes the TSDB's log on and listens for two things that it says
// nowhere else: that a log was repaired, and that late samples did not reach
// theirs, which Commit keeps to itself.
type tsdbLog struct {
	slog.Handler
	raw *raw
}

func (h *tsdbLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.Handler.Enabled(ctx, level)
}

func (h *tsdbLog) Handle(ctx context.Context, record slog.Record) error {
	switch record.Message {
	case "Failed to log out of order samples into the WAL":
		h.raw.walFailed.Store(true)
	case "Successfully repaired WAL", "Successfully repaired WBL":
		h.raw.repaired.Add(1)
		record.Level = slog.LevelWarn
	}
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

func (h *tsdbLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &tsdbLog{Handler: h.Handler.WithAttrs(attrs), raw: h.raw}
}

func (h *tsdbLog) WithGroup(name string) slog.Handler {
	return &tsdbLog{Handler: h.Handler.WithGroup(name), raw: h.raw}
}
