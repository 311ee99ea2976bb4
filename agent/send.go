package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/gen/monitoring/v1/monitoringv1connect"
)

const (
	// A live stream is ended for its acknowledgement after liveFor; the first
	// one after an outage sooner, to learn that the outage is over.
	liveFor  = 10 * time.Second
	probeFor = time.Second
	// answerTimeout is how long the acknowledgement may take.
	answerTimeout = 15 * time.Second
	// A stream that catches up ends after backlogBytes, and may take that long.
	backlogBytes   = 8 << 20
	backlogTimeout = 2 * time.Minute
	// messageRecords and messageBytes bound one message; see messageSize too.
	messageRecords = 120
	messageBytes   = 512 << 10
	// The waits after failures, each half random, so that a thousand agents that
	// lost one server do not come back at once.
	minBackoff = 500 * time.Millisecond
	maxBackoff = 15 * time.Second
)

// sender moves records from the spool to the server over two streams: one sends
// what is measured now, the other what was missed, oldest first.
type sender struct {
	spool    *spool.Spool
	server   monitoringv1connect.IngestServiceClient
	reporter *monitoringv1.Reporter
	logger   *slog.Logger
	// disconnect drops idle connections, which may be dead when one was.
	disconnect func()
	said       map[string]time.Time // complaints, by kind, and when they were last logged
	size       *messageSize

	mu       sync.Mutex
	liveFrom spool.Position  // what the live stream takes care of
	up       bool            // the last live stream was acknowledged
	changed  chan struct{}   // closed and replaced when up or liveFrom changes
	down     chan struct{}   // closed when up ends, and replaced when it begins
	stopping context.Context //nolint:containedctx // a signal, not a call's context: it ends when there will be no more records
	stop     context.CancelFunc
	unkept   chan *monitoringv1.ReportRequest // rounds that the spool did not take
	liveDone chan struct{}                    // closed when the live stream has sent its last
}

func newSender(opts Options) *sender {
	stopping, stop := context.WithCancel(context.Background())
	return &sender{
		spool:      opts.Spool,
		server:     opts.Server,
		reporter:   opts.Reporter,
		logger:     opts.Logger,
		disconnect: opts.Disconnect,
		said:       map[string]time.Time{},
		size:       newMessageSize(),
		changed:    make(chan struct{}),
		down:       make(chan struct{}),
		stopping:   stopping,
		stop:       stop,
		unkept:     make(chan *monitoringv1.ReportRequest, maxUnkept),
		liveDone:   make(chan struct{}),
	}
}

// run sends until ctx ends, or until all is sent after finish.
func (s *sender) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(s.liveDone)
		s.sendLive(ctx)
		return nil
	})
	group.Go(func() error { s.sendBacklog(ctx); return nil })
	group.Go(func() error { s.sendUnkept(ctx); return nil })
	return group.Wait()
}

// finish lets the live stream end early for its acknowledgement and stops all
// sending after the timeout.
func (s *sender) finish(timeout time.Duration, cut func()) {
	s.stop()
	time.AfterFunc(timeout, cut)
}

// setState tells the backlog what it may send.
func (s *sender) setState(liveFrom spool.Position, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case up && !s.up:
		s.down = make(chan struct{})
	case !up && s.up:
		close(s.down)
	}
	s.liveFrom, s.up = liveFrom, up
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *sender) state() (liveFrom spool.Position, up bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveFrom, s.up, s.changed
}

// sendLive sends records as they come. When a stream fails, what it sent is left
// to the backlog, and the next one begins with what comes then.
func (s *sender) sendLive(ctx context.Context) {
	from := s.spool.End()
	s.setState(from, false)
	var wait backoff
	up, downSince := false, time.Time{}
	for ctx.Err() == nil {
		if !s.more(ctx, from) {
			return
		}
		length := liveFor
		if !up {
			length = probeFor
		}
		began := time.Now()
		next, err := s.live(ctx, from, length)
		if err == nil {
			if !up {
				s.logger.Info("reporting", "hostname", s.reporter.GetHostname(), "outage", outage(downSince))
			}
			up, downSince, from = true, time.Time{}, next
			wait.reset()
			s.setState(from, true)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if up || downSince.IsZero() {
			s.logger.Warn("cannot report; samples are kept on disk until the server takes them", "error", err)
			downSince = time.Now()
		}
		up = false
		s.disconnect()
		s.setState(s.spool.End(), false)
		if time.Since(began) >= length {
			// The server took all there was and refused it in the end, as with
			// a full disk: it shows what is live all the same, so go on soon.
			wait.reset()
		}
		if !wait.sleep(ctx, s.stopping.Done()) {
			return
		}
		from = s.spool.End()
		s.setState(from, false)
	}
}

// outage is how long the server was away, for the log.
func outage(since time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return time.Since(since).Round(time.Second)
}

// more waits for a record at or after pos; false when ctx ended first, or when
// there will be none.
func (s *sender) more(ctx context.Context, pos spool.Position) bool {
	if ctx.Err() == nil && s.spool.End() > pos {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return s.spool.Wait(ctx, pos) == nil
}

// live sends what there is from a position on, and what comes in the meantime,
// over one stream, and returns where it ended once the server has acknowledged.
func (s *sender) live(ctx context.Context, from spool.Position, length time.Duration) (spool.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, length+answerTimeout)
	defer cancel()
	out, err := s.open(ctx)
	if err != nil {
		return from, err
	}
	defer out.close()
	until, stop := context.WithTimeout(ctx, length)
	defer stop()
	cursor := from
	for {
		records, next, err := s.spool.Read(cursor, messageRecords, s.size.get())
		if err != nil {
			return from, err
		}
		if err := out.send(records); err != nil {
			return from, err
		}
		cursor = next
		// What is there already counts as more, also after the time is up: on a
		// slow network there would be no end.
		if until.Err() != nil || !s.more(until, cursor) {
			break
		}
	}
	return cursor, s.acknowledge(out, from, cursor)
}

// sendBacklog sends what the live stream does not, whenever that one stands; and
// in the end what is left, if the server is there.
func (s *sender) sendBacklog(ctx context.Context) {
	s.followLive(ctx)
	select {
	case <-s.liveDone:
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		if done, err := s.catchUp(ctx, s.spool.End()); done || err != nil {
			return // what is still left waits for the next run
		}
	}
}

// followLive sends what was missed whenever the live stream stands, until there
// will be no more records.
func (s *sender) followLive(ctx context.Context) {
	var wait backoff
	for ctx.Err() == nil {
		liveFrom, up, changed := s.state()
		done := !up
		if up {
			var err error
			if done, err = s.whileUp(ctx, liveFrom); err == nil {
				wait.reset()
			} else if s.backlogFailed(ctx, err); !wait.sleep(ctx, s.stopping.Done()) {
				return
			}
		}
		if !done {
			continue
		}
		select {
		case <-changed:
		case <-s.stopping.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// whileUp is catchUp, given up when the live stream fails: the link may be dead
// without a word.
func (s *sender) whileUp(ctx context.Context, before spool.Position) (done bool, err error) {
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-down:
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.catchUp(ctx, before)
}

// backlogFailed says that what was missed cannot be sent, where the live stream
// stands and so has nothing to say.
func (s *sender) backlogFailed(ctx context.Context, err error) {
	if _, up, _ := s.state(); up && ctx.Err() == nil {
		s.complain("cannot send what was missed; trying again", "error", err)
	}
}

// catchUp sends the oldest records before a position over one stream; done when
// there are none. It is tried again, in smaller messages, for as long as the server
// finds them too large.
func (s *sender) catchUp(ctx context.Context, before spool.Position) (done bool, err error) {
	for {
		size := s.size.get()
		if done, err = s.sendOldest(ctx, before); !tooLarge(err) || s.size.get() >= size {
			return done, err
		}
	}
}

func (s *sender) sendOldest(ctx context.Context, before spool.Position) (done bool, err error) {
	records, next, err := s.backlog(0, before)
	if err != nil || len(records) == 0 {
		return err == nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	out, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	defer out.close()
	from, sent := records[0].Position, 0
	for len(records) > 0 {
		if err := out.send(records); err != nil {
			return false, err
		}
		for _, r := range records {
			sent += len(r.Data)
		}
		if sent > backlogBytes {
			break
		}
		cursor := next
		if records, next, err = s.backlog(cursor, before); err != nil {
			return false, err
		}
		if len(records) == 0 {
			next = cursor
		}
	}
	if err := s.acknowledge(out, from, next); err != nil {
		return false, err
	}
	s.logger.Info("caught up", "samples_until", time.UnixMilli(out.newest).Format(time.DateTime), "bytes", sent)
	return false, nil
}

// backlog reads records from a position on that lie before another.
func (s *sender) backlog(from, before spool.Position) ([]spool.Record, spool.Position, error) {
	records, next, err := s.spool.Read(from, messageRecords, s.size.get())
	for i, r := range records {
		if r.Position >= before {
			return records[:i], before, err
		}
	}
	return records, min(next, before), err
}

// acknowledge waits for the server's word on a stream and frees the records in
// the spool.
func (s *sender) acknowledge(out *stream, from, to spool.Position) error {
	receipt, err := out.finish()
	if err != nil {
		return err
	}
	s.hear(receipt)
	return s.spool.Ack(from, to)
}

// hear logs what the operator should know of a receipt.
func (s *sender) hear(receipt *monitoringv1.Receipt) {
	for _, w := range receipt.GetWarnings() {
		s.complain(w)
	}
	if n := receipt.GetRejected(); n > 0 && len(receipt.GetRejections()) > 0 {
		first := receipt.GetRejections()[0]
		s.complain("the server refused samples: "+first.GetReason(), "count", n, "series", first.GetSeries())
	}
}

// complain logs complaints of one kind at most once a minute.
func (s *sender) complain(text string, args ...any) {
	kind := kindOf(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.said[kind]) < time.Minute {
		return
	}
	if len(s.said) > 100 {
		clear(s.said)
	}
	s.said[kind] = time.Now()
	s.logger.Warn(text, args...)
}

// kindOf is a complaint without the numbers in it, such as values, which differ each
// time.
func kindOf(text string) string {
	words := strings.Fields(text)
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return strings.ContainsAny(word, "0123456789") }), " ")
}

// backoff is the wait after one failure after another.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// sleep waits, and longer each time; false when ctx or the sending ended.
func (b *backoff) sleep(ctx context.Context, stopping <-chan struct{}) bool {
	b.next = min(max(2*b.next, minBackoff), maxBackoff)
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2)) //nolint:gosec // spreads load, hides nothing
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stopping:
		return false
	case <-ctx.Done():
		return false
	}
}
