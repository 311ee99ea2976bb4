package client

import (
	"cmp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// slowly is a follower whose server drops what it will, beside the history.
type slowly struct {
	*follower

	t       *testing.T
	history []metric.Sample
	given   map[string]int // by series and time
	named   map[uint32]*metric.Series
}

func newSlowly(t *testing.T) *slowly {
	s := &slowly{t: t, given: map[string]int{}, named: map[uint32]*metric.Series{}}
	s.follower = &follower{request: &monitoringv1.SubscribeRequest{}, marks: map[string]int64{}, yield: func(b Batch, err error) bool {
		for _, sample := range b.Samples {
			s.given[at(sample)]++
		}
		return err == nil
	}}
	return s
}

func at(s metric.Sample) string {
	return s.Series.Key() + time.UnixMilli(s.Time).UTC().Format(time.RFC3339Nano)
}

// host is one whose clock is that much behind.
func host(name string, behind time.Duration) metric.Sample {
	return metric.Sample{Series: metric.NewSeries("jobs", name, nil), Time: time.Now().Add(-behind).UnixMilli()}
}

// second is one in which those samples come in and that many of them are dropped,
// the first ones.
func (s *slowly) second(dropped int, samples ...metric.Sample) {
	s.t.Helper()
	s.history = append(s.history, samples...)
	u := &monitoringv1.Update{Dropped: uint64(dropped), ServerTime: timestamppb.Now()}
	for _, sample := range samples[dropped:] {
		id := uint32(len(s.named))
		u.Series = append(u.Series, &monitoringv1.SeriesDefinition{Id: id, Series: &monitoringv1.Series{MetricType: "jobs", Hostname: sample.Series.Host}})
		u.Samples = append(u.Samples, &monitoringv1.Samples{Time: timestamppb.New(time.UnixMilli(sample.Time)), SeriesIds: []uint32{id}, Values: []float64{1}})
		s.named[id] = nil // its number is taken
	}
	if err := s.take(u, s.named); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Second)
}

// filled is one filling from beginning to end, which returns how many samples it read.
func (s *slowly) filled(complete bool) int {
	s.t.Helper()
	w := s.missed()
	end := filling{last: true}
	slices.SortStableFunc(s.history, func(a, b metric.Sample) int { return cmp.Compare(a.Time, b.Time) })
	for _, sample := range s.history {
		if seen := time.UnixMilli(sample.Time); !seen.Before(w.after) && !seen.After(w.upTo) {
			end.samples = append(end.samples, sample)
		}
	}
	if complete {
		end.upTo = w.upTo
	}
	if err := s.takeFilled(end); err != nil {
		s.t.Fatal(err)
	}
	s.closeFilling(end)
	return len(end.samples)
}

// remembered is how many times the gap keeps.
func (s *slowly) remembered() (n int) {
	for _, seen := range s.gap.seen {
		n += len(seen)
	}
	return n
}

// wantEach checks that every sample came once.
func (s *slowly) wantEach() {
	s.t.Helper()
	for _, sample := range s.history {
		if n := s.given[at(sample)]; n != 1 {
			s.t.Fatalf("%s of %s came %d times", time.UnixMilli(sample.Time).UTC(), sample.Series, n)
		}
	}
}

// TestAlwaysSlow has a reader that is too slow for half an hour. What it keeps, and
// what a filling reads, is bounded by the last minutes; hosts come and go meanwhile,
// with clocks that are behind.
func TestAlwaysSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowly(t)
		s.second(0, host("web-1", 0), host("web-2", 50*time.Second))
		for n := range 1800 {
			samples := []metric.Sample{host("web-1", 0), host("web-2", 50*time.Second)}
			if n > 900 {
				samples = append([]metric.Sample{host("new", 55*time.Second)}, samples...)
			}
			s.second(len(samples)-n%2, samples...)
			if n%3 > 0 {
				continue
			}
			if read := s.filled(true); read > 3*200 {
				t.Fatalf("after %d s a filling reads %d samples", n, read)
			}
			if kept := s.remembered(); kept > 3*200 {
				t.Fatalf("after %d s the gap keeps %d times", n, kept)
			}
		}
		s.filled(true)
		s.wantEach()
	})
}

// TestGapStays as long as it has to: while history cannot be read, and after a break
// until it was read and agents have brought what was late.
func TestGapStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowly(t)
		s.second(0, host("web-1", 0), host("web-2", 0))
		slow := func(seconds int, fill, complete bool) {
			t.Helper()
			for range seconds {
				s.second(1, host("web-1", 0), host("web-2", 0))
				if fill {
					s.filled(complete)
				}
			}
		}
		stays := func(why string, do func()) {
			t.Helper()
			before := s.gap.from
			if do(); !s.gap.from.Equal(before) {
				t.Errorf("%s: the gap moved by %s", why, s.gap.from.Sub(before))
			}
		}
		slow(1, false, false)
		stays("no filling was complete", func() { slow(100, true, false) })
		slow(100, true, true)
		stays("there was a break", func() {
			late := host("web-1", 10*time.Second)
			late.Time++ // between two others
			s.interrupted()
			slow(20, true, true)
			s.history = append(s.history, late) // an agent that has found its way
			slow(10, true, true)
		})
		stays("history was not read since the break", func() {
			s.interrupted()
			slow(100, false, false)
		})
		before := s.gap.from
		s.filled(true)
		slow(2, true, true)
		if !s.gap.from.After(before) {
			t.Error("the gap does not move any more")
		}
		s.wantEach()
	})
}
