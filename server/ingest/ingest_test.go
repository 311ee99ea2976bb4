package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/live"
	"github.com/vitals-rpc/vitals/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a door with all that is behind it.
type house struct {
	*Door
	store *store.Store
	hub   *live.Hub
	fleet *fleet.Registry
	now   time.Time
}

// newHouse makes one; change may set options.
func newHouse(tb testing.TB, change func(*Options)) *house {
	tb.Helper()
	h := &house{hub: live.NewHub(), now: time.Now().Truncate(time.Second)}
	clock := func() time.Time { return h.now }
	var err error
	quiet := slog.New(slog.DiscardHandler)
	if h.store, err = store.Open(tb.Context(), store.Options{Dir: tb.TempDir(), MinFree: 1}); err != nil {
		tb.Fatal(err)
	}
	if h.fleet, err = fleet.Open(fleet.Options{Now: clock, Logger: quiet}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(h.fleet.Close(), h.store.Close()); err != nil {
			tb.Error(err)
		}
	})
	o := Options{History: h.store, Live: h.hub, Fleet: h.fleet, Logger: quiet, Now: clock}
	if change != nil {
		change(&o)
	}
	h.Door = New(o)
	return h
}

// at is a time before now, in milliseconds.
func (h *house) at(ago time.Duration) int64 { return h.now.Add(-ago).UnixMilli() }

func (h *house) session(tb testing.TB, host string) *Session {
	tb.Helper()
	s, err := h.Open(fleet.Reporter{Hostname: host, ID: host})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func series(host string, n int) *metric.Series {
	return metric.NewSeries("m", host, metric.NewLabels("n", fmt.Sprint(n)))
}

// wantReceipt compares the counts and the refused indexes of a receipt.
func wantReceipt(tb testing.TB, got Receipt, stored, duplicates uint64, refused ...uint64) {
	tb.Helper()
	if got.Stored != stored || got.Duplicates != duplicates || got.Rejected != uint64(len(refused)) || len(got.Rejections) != len(refused) {
		tb.Errorf("%+v; want %d stored, %d duplicates, %v refused", got, stored, duplicates, refused)
		return
	}
	seen := map[uint64]bool{}
	for _, r := range got.Rejections {
		seen[r.Index] = true
		if r.Series == "" && !errors.Is(r.Reason, ErrUndefined) || r.Reason == nil {
			tb.Errorf("%+v does not say what and why", r)
		}
	}
	for _, index := range refused {
		if !seen[index] {
			tb.Errorf("%+v; want %d refused", got.Rejections, index)
		}
	}
}

// TestWrite refuses by item, keeps the rest, and counts what is sent again once.
func TestWrite(t *testing.T) {
	h := newHouse(t, nil)
	a, bad := series("web-1", 1), metric.NewSeries("no-name", "web-1", nil)
	batch := []metric.Sample{
		{Series: bad, Time: h.at(0), Value: 1},
		{Series: a, Time: h.at(2 * time.Second), Value: 1},
		{Series: a, Time: h.at(0), Value: math.NaN()},
		{Series: a, Time: h.at(-2 * time.Minute), Value: 1},
		{Series: a, Time: h.at(-time.Minute), Value: 2},
		{Series: a, Time: h.at(48 * time.Hour), Value: 1},
		{Series: a, Time: h.at(time.Second), Value: 3},
	}
	got, err := h.Write(t.Context(), "web-1", batch)
	if err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 3, 0, 0, 2, 3, 5)
	if got, err = h.Write(t.Context(), "web-1", batch); err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 0, 3, 0, 2, 3, 5)
	got, err = h.Write(t.Context(), "web-1", []metric.Sample{{Series: a, Time: h.at(time.Second), Value: 4}})
	if err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 0, 0, 0) // another value at that time
	if !errors.Is(got.Rejections[0].Reason, store.ErrConflict) {
		t.Errorf("refused with %v", got.Rejections[0].Reason)
	}
	if s, err := h.hub.Latest("web-1", "m"); err != nil || s.Value != 2 {
		t.Errorf("live is %v, %v", s, err)
	}
	if hosts := h.fleet.Hosts(""); len(hosts) != 1 || hosts[0].LastSeen.UnixMilli() != h.at(-time.Minute) {
		t.Errorf("hosts %+v", hosts)
	}
}

// TestManyRefusals are counted, and the first are spelled out.
func TestManyRefusals(t *testing.T) {
	h := newHouse(t, nil)
	var batch []metric.Sample
	for i := range 250 {
		batch = append(batch, metric.Sample{Series: series("web-1", i), Time: h.at(0), Value: math.Inf(1)})
	}
	got, err := h.Write(t.Context(), "web-1", batch)
	if err != nil || got.Rejected != 250 || len(got.Rejections) != maxRejections || got.Rejections[99].Index != 99 {
		t.Errorf("%d refused, %d spelled out, %v", got.Rejected, len(got.Rejections), err)
	}
}

// TestSeriesLimit holds for each host by itself, and idle series make room.
func TestSeriesLimit(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSeriesPerHost = 3 })
	f := func(host string, stored uint64, refused ...uint64) {
		t.Helper()
		var batch []metric.Sample
		for i := range 5 {
			batch = append(batch, metric.Sample{Series: series(host, i), Time: h.at(0), Value: 1})
		}
		got, err := h.Write(t.Context(), host, batch)
		if err != nil {
			t.Fatal(err)
		}
		wantReceipt(t, got, stored, 0, refused...)
		for _, r := range got.Rejections {
			if !strings.Contains(r.Reason.Error(), "limit of 3 series") {
				t.Errorf("refused with %v", r.Reason)
			}
		}
	}
	f("web-1", 3, 3, 4)
	f("web-2", 3, 3, 4)
	h.now = h.now.Add(2 * time.Hour)
	write := func(n int) Receipt {
		t.Helper()
		got, err := h.Write(t.Context(), "web-1", []metric.Sample{{Series: series("web-1", n), Time: h.at(0), Value: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	wantReceipt(t, write(0), 1, 0)
	wantReceipt(t, write(3), 1, 0) // in place of 1 and 2, which are idle
	wantReceipt(t, write(4), 1, 0)
	wantReceipt(t, write(1), 0, 0, 0)
}

// TestRate takes ten seconds' worth at once, then refuses whole batches, until
// time has passed. Other hosts do not suffer.
func TestRate(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxRate = 10 })
	n := 0
	f := func(host string, samples int, ok bool) {
		t.Helper()
		var batch []metric.Sample
		for range samples {
			n++
			batch = append(batch, metric.Sample{Series: series(host, 0), Time: h.at(time.Hour) + int64(n), Value: 1})
		}
		got, err := h.Write(t.Context(), host, batch)
		limit, limited := errors.AsType[*RateError](err)
		if limited == ok || limited && (limit.Host != host || !strings.Contains(err.Error(), "10 samples a second")) || ok && got.Stored != uint64(samples) {
			t.Errorf("%d samples of %s: %+v, %v", samples, host, got, err)
		}
	}
	f("web-1", 90, true)
	f("web-1", 11, false)
	f("web-1", 10, true)
	f("web-1", 1, false)
	f("web-2", 1, true)
	h.now = h.now.Add(time.Second)
	f("web-1", 11, false)
	f("web-1", 10, true)
}

// TestSession numbers series, defines them anew, and refuses what it does not
// know.
func TestSession(t *testing.T) {
	h := newHouse(t, nil)
	s := h.session(t, "web-1")
	def := func(id uint32, series *metric.Series) {
		t.Helper()
		if err := s.Define(id, series, metric.Type{Name: series.Type, Unit: "jobs"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	flush := func() Receipt {
		t.Helper()
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Receipt()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	def(0, series("web-1", 0))
	def(7, series("web-1", 7))
	def(2, metric.NewSeries("no-name", "web-1", nil))
	s.Add(Round{h.at(3 * time.Second), []uint32{0, 1, 2, 7, 99}, []float64{1, 2, 3, 4, 5}})
	wantReceipt(t, flush(), 2, 0, 1, 2, 4)
	def(0, series("web-1", 100))
	s.Add(Round{h.at(3 * time.Second), []uint32{0, 7}, []float64{1, 4}})
	wantReceipt(t, flush(), 3, 1, 1, 2, 4) // all of the session
	s.Add(Round{h.at(-5 * time.Minute), []uint32{0, 7}, []float64{1, 4}})
	wantReceipt(t, flush(), 3, 1, 1, 2, 4, 7, 8)
	if err := s.Define(maxNumbers, series("web-1", 0), metric.Type{}, nil); err == nil {
		t.Error("a number beyond the last was taken")
	}
	if h.fleet.Unit("m") != "jobs" {
		t.Error("the unit was not passed on")
	}
	if _, _, known := h.fleet.Type("no-name"); known {
		t.Error("a refused type was passed on")
	}
	for _, name := range []string{"", " x", "a\x00b", strings.Repeat("x", 254)} {
		if _, err := h.Open(fleet.Reporter{Hostname: name}); err == nil {
			t.Errorf("host name %q was taken", name)
		}
	}
}

// TestConflictWarns: the receipt has the fleet's warning.
func TestConflictWarns(t *testing.T) {
	h := newHouse(t, nil)
	for i, id := range []string{"a", "b"} {
		s, err := h.Open(fleet.Reporter{Hostname: "web-1", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Receipt(); err != nil || len(got.Warnings) != i {
			t.Errorf("%s is warned with %q, %v", id, got.Warnings, err)
		}
	}
}

// fullHistory refuses everything, as a full disk does.
type fullHistory struct {
	*store.Store
	err error
}

func (f *fullHistory) Append(ctx context.Context, points []store.Point) (store.AppendResult, error) {
	if f.err != nil {
		return store.AppendResult{}, f.err
	}
	return f.Store.Append(ctx, points)
}

// TestFullDisk: what was just taken is live all the same, and its stream goes on
// until its end, where it is refused; a backlog is refused at once.
func TestFullDisk(t *testing.T) {
	disk := &fullHistory{}
	h := newHouse(t, func(o *Options) { disk.Store = o.History.(*store.Store); o.History = disk })
	for _, cause := range []error{fmt.Errorf("%w: make room", store.ErrFull), store.ErrUnavailable} {
		disk.err = cause
		h.now = h.now.Add(10 * time.Second)
		s := h.session(t, "web-1")
		if err := s.Define(0, series("web-1", 0), metric.Type{Name: "m"}, nil); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			h.now = h.now.Add(time.Second)
			s.Add(Round{h.at(0), []uint32{0}, []float64{float64(n)}})
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := h.hub.Latest("web-1", "m"); err != nil || got.Value != float64(n) || got.Time != h.at(0) {
				t.Errorf("live is %v, %v", got, err)
			}
			if status := h.fleet.Hosts("")[0].Status; status != fleet.Up {
				t.Errorf("status %d", status)
			}
		}
		if got, err := s.Receipt(); !errors.Is(err, cause) || got.Stored > 0 {
			t.Errorf("receipt %+v, %v", got, err)
		}
		disk.err = nil // that there is room again does not heal what was refused
		s.Add(Round{h.at(-time.Second), []uint32{0}, []float64{9}})
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receipt(); !errors.Is(err, cause) {
			t.Errorf("receipt %v", err)
		}
		disk.err = cause
		late := h.session(t, "web-1")
		if err := late.Define(0, series("web-1", 0), metric.Type{Name: "m"}, nil); err != nil {
			t.Fatal(err)
		}
		late.Add(Round{h.at(time.Hour), []uint32{0}, []float64{1}})
		if err := late.Flush(t.Context()); !errors.Is(err, cause) {
			t.Errorf("a backlog: %v", err)
		}
		if _, err := h.Write(t.Context(), "web-1", []metric.Sample{{Series: series("web-1", 0), Time: h.at(-2 * time.Second), Value: 7}}); !errors.Is(err, cause) {
			t.Errorf("Write: %v", err)
		}
		if got, err := h.hub.Latest("web-1", "m"); err != nil || got.Value != 7 {
			t.Errorf("live is %v, %v", got, err)
		}
	}
}

// slowHistory holds up backlogs.
type slowHistory struct {
	*store.Store
	house   *house
	release chan struct{}
	waiting chan struct{}
}

func (s *slowHistory) Append(ctx context.Context, points []store.Point) (store.AppendResult, error) {
	if !s.house.isRecent(points[0].Time) {
		s.waiting <- struct{}{}
		<-s.release
	}
	return s.Store.Append(ctx, points)
}

// TestLiveBeforeBacklog: many hosts that catch up take no turn from one that is
// live, and wait for each other.
func TestLiveBeforeBacklog(t *testing.T) {
	slow := &slowHistory{release: make(chan struct{}), waiting: make(chan struct{}, 100)}
	h := newHouse(t, func(o *Options) { slow.Store = o.History.(*store.Store); o.History = slow })
	slow.house = h
	write := func(ctx context.Context, host string, ago time.Duration) error {
		_, err := h.Write(ctx, host, []metric.Sample{{Series: series(host, 0), Time: h.at(ago), Value: 1}})
		return err
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := write(t.Context(), fmt.Sprint("late-", i), time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	<-slow.waiting
	if err := write(t.Context(), "web-1", 0); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := write(impatient, "late-x", time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a backlog that waits beyond its deadline: %v", err)
	}
	if turns := 1 + len(slow.waiting); turns > max(1, cap(h.backlog)) {
		t.Errorf("%d backlogs had a turn at once; want at most %d", turns, cap(h.backlog))
	}
	close(slow.release)
	all.Wait()
}

// TestRateShared: a backlog of a host that sends too fast does not hold up its
// live stream, which shares its limit.
func TestRateShared(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxRate = 2000 })
	web, err := h.sender("web-1")
	if err != nil {
		t.Fatal(err)
	}
	for web.limiter.AllowN(time.Now(), 1000) { // until the burst is used up
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	begun := make(chan struct{})
	all.Go(func() {
		close(begun)
		_ = web.wait(ctx, 100_000) // 50 seconds' worth
	})
	<-begun
	for range 5 {
		began := time.Now()
		if err := web.wait(t.Context(), 50); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("50 live samples waited %s", took)
		}
	}
}

func TestHostLimit(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxHosts = 2 })
	f := func(host string, want bool) {
		t.Helper()
		_, err := h.Write(t.Context(), host, []metric.Sample{{Series: metric.NewSeries("cpu", host, nil), Time: h.now.UnixMilli(), Value: 1}})
		if got := err == nil; got != want {
			t.Errorf("host %q: %v", host, err)
		}
		if _, opened := h.Open(fleet.Reporter{Hostname: host}); (opened == nil) != want {
			t.Errorf("a session of host %q: %v", host, opened)
		}
	}
	f("a", true)
	f("b", true)
	f("c", false)
	f("a", true)
	if hosts := h.fleet.Hosts(""); len(hosts) != 2 {
		t.Errorf("the fleet has %d hosts", len(hosts))
	}
}

// TestRefusedIsNotLive: what the history refuses is not shown as if it had come.
func TestRefusedIsNotLive(t *testing.T) {
	h := newHouse(t, nil)
	if _, err := h.Write(t.Context(), "other", []metric.Sample{{Series: series("other", 1), Time: h.at(0), Value: 1}}); err != nil {
		t.Fatal(err)
	}
	got, err := h.Write(t.Context(), "web-1", []metric.Sample{{Series: series("web-1", 1), Time: h.at(48 * time.Hour), Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 0, 0, 0)
	if _, known := h.hub.LastSeen("web-1"); known || h.fleet.Knows("web-1") {
		t.Error("a host all of whose samples were refused is live")
	}
	got, err = h.Write(t.Context(), "web-1", []metric.Sample{
		{Series: series("web-1", 1), Time: h.at(time.Second), Value: 1},
		{Series: series("web-1", 2), Time: h.at(48 * time.Hour), Value: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 1, 0, 1)
	if all := h.hub.Snapshot(metric.Exactly("web-1", "m")); len(all) != 1 || all[0].Value != 1 {
		t.Errorf("live: %v", all)
	}
}

// TestOlderThanOthersIsLive: what counts is the newest of each series, not of its
// host, another of whose clocks may be ahead.
func TestOlderThanOthersIsLive(t *testing.T) {
	h := newHouse(t, nil)
	write := func(n int, ahead time.Duration, value float64) {
		t.Helper()
		got, err := h.Write(t.Context(), "web-1", []metric.Sample{{Series: series("web-1", n), Time: h.at(-ahead), Value: value}})
		if err != nil {
			t.Fatal(err)
		}
		wantReceipt(t, got, 1, 0)
	}
	write(1, 30*time.Second, 1)
	write(2, 0, 2)
	write(2, -time.Second, 3)
	if all := values(h.hub.Snapshot()); !slices.Equal(all, []float64{1, 2}) {
		t.Errorf("live: %v", all)
	}
}

func values(samples []metric.Sample) (all []float64) {
	for _, s := range samples {
		all = append(all, s.Value)
	}
	return all
}

// TestNumbersOutOfOrder: a number costs what its definition does, however great.
func TestNumbersOutOfOrder(t *testing.T) {
	h := newHouse(t, nil)
	s := h.session(t, "web-1")
	for _, n := range []uint32{maxNumbers - 1, 1, 0, 70_000, 1, 2} {
		if err := s.Define(n, series("web-1", int(n)), metric.Type{Name: "m"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := cap(s.series.table); n > 8 {
		t.Errorf("six definitions take a table of %d", n)
	}
	s.Add(Round{h.at(0), []uint32{70_000, 0, 1, maxNumbers - 1, 2, 3, 69_999}, []float64{3, 0, 1, 4, 2, 9, 9}})
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.Receipt()
	if err != nil {
		t.Fatal(err)
	}
	wantReceipt(t, got, 5, 0, 5, 6)
	var sum float64
	for _, sample := range h.hub.Snapshot() {
		sum += sample.Value
	}
	if sum != 10 {
		t.Errorf("live: %v", h.hub.Snapshot())
	}
}

// TestIdleSeriesAreForgotten: series that made room for others are no longer live,
// while those of an open session stay.
func TestIdleSeriesAreForgotten(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSeriesPerHost = 3 })
	open := h.session(t, "web-1")
	if err := open.Define(0, series("web-1", 0), metric.Type{Name: "m"}, nil); err != nil {
		t.Fatal(err)
	}
	beat := func(value float64) {
		t.Helper()
		open.Add(Round{h.at(0), []uint32{0}, []float64{value}})
		if err := open.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 4 {
		beat(0)
		for n := range 2 {
			got, err := h.Write(t.Context(), "web-1", []metric.Sample{{Series: series("web-1", 10*round+n+1), Time: h.at(0), Value: 1}})
			if err != nil {
				t.Fatal(err)
			}
			wantReceipt(t, got, 1, 0)
		}
		if all := h.hub.Snapshot(); len(all) != 3 {
			t.Errorf("round %d: live are %v", round, all)
		}
		for range 5 {
			h.now = h.now.Add(20 * time.Minute)
			beat(0)
		}
	}
}

// TestHostsMakeRoom: names of which nothing was taken, and those silent for long, do
// not keep others out.
func TestHostsMakeRoom(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxHosts = 2 })
	write := func(host string, value float64) error {
		t.Helper()
		_, err := h.Write(t.Context(), host, []metric.Sample{{Series: series(host, 0), Time: h.at(0), Value: value}})
		return err
	}
	for _, junk := range []string{"junk-1", "junk-2"} {
		if err := write(junk, math.NaN()); err != nil {
			t.Fatal(err)
		}
	}
	_, full := errors.AsType[*HostLimitError](write("web-1", 1))
	if !full {
		t.Error("the limit did not hold")
	}
	for _, host := range []string{"web-1", "web-2"} {
		h.now = h.now.Add(2 * time.Minute)
		if err := write(host, 1); err != nil {
			t.Error(err)
		}
	}
	h.now = h.now.Add(30 * time.Minute)
	if err := write("web-2", 2); err != nil {
		t.Error(err)
	}
	if _, full := errors.AsType[*HostLimitError](write("web-3", 1)); !full {
		t.Error("a host was dropped that reports")
	}
	h.now = h.now.Add(40 * time.Minute)
	if err := write("web-3", 3); err != nil {
		t.Error(err)
	}
	if hosts := h.hub.Hosts(); !slices.Equal(hosts, []string{"web-2", "web-3"}) {
		t.Errorf("live are %v", hosts)
	}
}
