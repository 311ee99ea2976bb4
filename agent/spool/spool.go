package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Errors to test for with errors.Is. What is returned says more: the folder, and
// what an operator can do.
var (
	// ErrLocked means that another process has the spool open.
	ErrLocked = errors.New("spool is in use")
	// ErrNewerFormat means that the folder was written by a newer version of
	// this program.
	ErrNewerFormat = errors.New("spool has a newer format")
	// ErrClosed means that Close was called.
	ErrClosed = errors.New("spool is closed")
	// ErrTooLarge means that a record or a preamble can never fit.
	ErrTooLarge = errors.New("too large for the spool")
	// ErrNoSpace means that the disk is full and dropping the oldest segment did
	// not help. The spool stays usable; the record was not stored.
	ErrNoSpace = errors.New("no space left for the spool")
	// ErrRange means that an acknowledgement names records that were never
	// appended.
	ErrRange = errors.New("range was never appended")
)

// Defaults and bounds of Options.
const (
	DefaultMaxBytes     = 512 << 20
	DefaultMaxAge       = 24 * time.Hour
	DefaultSegmentBytes = 1 << 20
	DefaultSyncInterval = time.Second

	maxSegmentBytes = 64 << 20
	logInterval     = 10 * time.Second // between two lines about the same thing
)

// Options configures a spool. Only Dir is needed.
type Options struct {
	// Dir is the spool's folder. It is created with mode 0700 and belongs to one
	// spool alone.
	Dir string
	// MaxBytes bounds the size of the segments on disk; 0 means
	// DefaultMaxBytes. The lock and the acknowledgements take 12 KB more.
	MaxBytes int64
	// MaxAge bounds the age of records, by the time that Append was given and
	// the clock of Now; 0 means DefaultMaxAge. A segment goes when all of it is
	// older, so a record can stay a sixteenth of MaxAge longer. Where that clock
	// is set ahead while the spool is open, only the time that has really passed
	// counts: nothing is dropped because a clock was wrong.
	MaxAge time.Duration
	// SegmentBytes is the size at which a new segment is begun, at most 64 MiB
	// and a quarter of MaxBytes; 0 means DefaultSegmentBytes. A segment is what
	// is dropped, and freed, at a time.
	SegmentBytes int64
	// SyncInterval is how often what was appended is forced to the disk (fsync),
	// in the background; 0 means DefaultSyncInterval. A power cut or a kernel
	// crash can cost the records of the last SyncInterval and of the time that
	// the fsync takes; the death of the process costs nothing.
	SyncInterval time.Duration
	// Logger is told of damage, drops and failing disks, at most once in ten
	// seconds each; nil discards.
	Logger *slog.Logger
	// Now is the clock that MaxAge is measured with; nil means time.Now. One that
	// is given is taken at its word, also where it is set ahead.
	Now func() time.Time
	// elapsed is the time since some moment, whatever is done to Now.
	elapsed func() time.Duration
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	o.SegmentBytes = min(o.SegmentBytes, maxSegmentBytes, max(o.MaxBytes/4, 1))
	if o.SyncInterval <= 0 {
		o.SyncInterval = DefaultSyncInterval
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
		if o.elapsed == nil {
			o.elapsed = sinceBoot
		}
	}
	if o.elapsed == nil {
		o.elapsed = func() time.Duration { return time.Duration(o.Now().UnixNano()) }
	}
	return o
}

// Position numbers the records of a spool: the first one ever appended has 1, and
// each that follows one more than the one before. A position is never given
// twice, across restarts too. After a crash of the machine some can be left out.
// The zero Position stands for the oldest record that is not acknowledged.
type Position uint64

// Record is what Read returns.
type Record struct {
	Position Position
	// Time is what Append was given, in milliseconds since the Unix epoch.
	Time int64
	// Preamble is the one in force when the record was appended; nil if there
	// was none. Neighbouring records share it: do not change it.
	Preamble []byte
	// Data is the caller's to keep. Records of one Read share a larger buffer,
	// which lives as long as any of them.
	Data []byte
}

// Spool is an open queue. All methods are safe for concurrent use.
type Spool struct {
	opts Options
	lock *os.File
	// openedAt and openedAfter are Options.Now and its true clock when the spool
	// was opened.
	openedAt    time.Time
	openedAfter time.Duration

	mu       sync.Mutex
	closed   bool
	segments []*segment // oldest first
	active   *os.File   // the last segment's, open for writing; nil to begin a new one
	next     Position   // of the next record
	bytes    int64      // of all segments
	done     rangeSet   // positions that need no delivery: acknowledged, dropped or damaged
	acks     ackFile
	cursors  cursorCache

	preamble       preamble // in force
	preambleOnDisk bool     // and the last one in the active segment
	buf            []byte   // Append's, used again and again

	changed chan struct{} // closed at the next append, if anyone waits

	dirty    chan struct{} // wakes the syncer
	stopSync chan struct{}
	syncDone chan struct{}
	dirDirty bool // a segment was created since the folder was last synced

	dropped, damaged             uint64
	dropLog, damageLog, errorLog throttle
}

// Open opens the spool in opts.Dir, or makes a new one. It cuts off what a crash
// left half written at the end and says so in the log.
//
// It returns ErrLocked while another process, or another Spool of this one, has
// it open, ErrNewerFormat for a folder of a newer program, and otherwise the
// error of the file system.
func Open(opts Options) (*Spool, error) {
	if opts.Dir == "" {
		return nil, errors.New("spool: Options.Dir is empty; name a folder that is the spool's alone")
	}
	opts = opts.withDefaults()
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: cannot make the folder; choose another or correct its permissions: %w", err)
	}
	lock, err := acquireLock(opts.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{
		opts:     opts,
		lock:     lock,
		openedAt: opts.Now(), openedAfter: opts.elapsed(),
		dirty:    make(chan struct{}, 1),
		stopSync: make(chan struct{}),
		syncDone: make(chan struct{}),
	}
	if err := s.recover(); err != nil {
		_ = s.closeFiles() // the error that matters is recover's
		return nil, err
	}
	go s.syncLoop()
	return s, nil
}

// Close forces everything to the disk, wakes those who wait and frees the lock.
// Every later call but Close returns ErrClosed.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.wake()
	s.mu.Unlock()
	close(s.stopSync)
	<-s.syncDone
	err := s.sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logDropped(true)
	s.logDamaged(true)
	return errors.Join(err, s.acks.save(&s.done), s.acks.sync(), s.closeFiles())
}

func (s *Spool) closeFiles() error {
	var errs []error
	if s.active != nil {
		errs = append(errs, s.active.Close())
	}
	errs = append(errs, s.acks.close(), s.lock.Close())
	return errors.Join(errs...)
}

// End returns the position that the next record will get: where a live reader
// starts.
func (s *Spool) End() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// Stats is a snapshot of a spool.
type Stats struct {
	// Records is the number of records that are not acknowledged. Damaged ones
	// are among them until a Read comes upon the damage.
	Records uint64
	// Bytes and Segments are what lies on disk, acknowledged records included.
	Bytes    int64
	Segments int
	// Oldest is the time of the oldest record that is not acknowledged; zero if
	// there is none.
	Oldest time.Time
	// Newest is the time of the record that was appended last, acknowledged or
	// not; zero if the spool holds nothing of it any more.
	Newest time.Time
	// Dropped counts, since Open, the unacknowledged records that had to go for
	// the budget or for a full disk.
	Dropped uint64
	// Damaged counts, since Open, the unacknowledged records that were found
	// unreadable.
	Damaged uint64
}

// Stats returns what the spool holds. It reads one record from disk.
func (s *Spool) Stats() Stats {
	oldest, _, _ := s.Read(0, 1, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		Records:  s.unacknowledged(),
		Bytes:    s.bytes,
		Segments: len(s.segments),
		Dropped:  s.dropped,
		Damaged:  s.damaged,
	}
	if len(oldest) > 0 && stats.Records > 0 {
		stats.Oldest = time.UnixMilli(oldest[0].Time)
	}
	if len(s.segments) > 0 && s.newest().next > s.newest().base {
		stats.Newest = time.UnixMilli(s.newest().lastTime)
	}
	return stats
}

// unacknowledged counts the positions below next that are not done; done holds
// nothing above it.
func (s *Spool) unacknowledged() uint64 { return uint64(s.next) - s.done.count }
