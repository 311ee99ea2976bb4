package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/store/tier"
)

// RangeRequest asks for the history of the series that all matchers accept.
type RangeRequest struct {
	Matchers []*labels.Matcher
	// Start and End are in milliseconds, both included.
	Start, End int64
	// MaxPoints is the most buckets that a series may have: 500 by default.
	MaxPoints int
	// MaxSeries, MaxBuckets and MaxSamples limit what may be returned and what may
	// be touched; 0 means 10,000 series, 10 million buckets of all of them, at 40
	// bytes each, and 50 million samples.
	MaxSeries, MaxBuckets, MaxSamples int
}

// RangeResult is history in buckets of one width.
type RangeResult struct {
	// Tier is where the answer was read from. What a coarse tier does not hold
	// yet, the newest part, is stitched on from finer ones.
	Tier Tier
	// Step is the width of a bucket in milliseconds.
	Step int64
	// Start and End are those of what was read: the request's, moved out to the
	// tier's own buckets, which cannot be read in part; End is not included. Of a
	// tier there is nothing that only begins at the request's end.
	Start, End int64
	// Series are sorted by type, host and labels; one without a sample is left
	// out.
	Series []RangeSeries
}

// RangeSeries is the history of one series, in columns of one length: buckets
// without a sample are left out.
type RangeSeries struct {
	Series *metric.Series
	// Times are the starts of the buckets in milliseconds. The first may begin
	// before the answer's Start, and the last end after its End, but all are made
	// only of what lies between.
	Times []int64
	// Avg, Min and Max are those of the bucket's samples.
	Avg, Min, Max []float64
	// Count is the number of the bucket's samples.
	Count []uint64
}

// Range returns the history of all series that match, in at most MaxPoints
// buckets each. It reads the coarsest tier that gives about as many (between
// half of them and all, where there are samples), and a coarser one where that has expired. Bucket starts
// are multiples of the step, so that a window that moves on gives the same
// buckets; a single bucket is the range as it is.
//
// It returns a [*QueryLimitError] if the query touches more than it may, and a
// [*ReadError] if there is something that it cannot read.
func (s *Store) Range(ctx context.Context, request RangeRequest) (RangeResult, error) {
	if request.End < request.Start {
		return RangeResult{}, fmt.Errorf("the range ends (%d) before it starts (%d)", request.End, request.Start)
	}
	if len(request.Matchers) == 0 {
		return RangeResult{}, errors.New("a range needs at least one matcher")
	}
	setDefault(&request.MaxPoints, 500)
	setDefault(&request.MaxSeries, 10_000)
	setDefault(&request.MaxBuckets, 10_000_000)
	setDefault(&request.MaxSamples, 50_000_000)
	request.Start, request.End = within(request.Start), within(request.End)
	r := ranger{store: s, request: request, late: s.marks.snapshot(), series: map[uint64][]*ranged{}}
	result, err := r.run(ctx)
	if _, limit := errors.AsType[*QueryLimitError](err); err != nil && !limit && ctx.Err() == nil {
		err = &ReadError{err}
	}
	return result, err
}

func setDefault(value *int, standard int) {
	if *value <= 0 {
		*value = standard
	}
}

// ranger answers one range request.
type ranger struct {
	store    *Store
	request  RangeRequest
	result   RangeResult
	grid     grid
	late     map[string][]int64 // the hours that are to be read from raw
	parts    []part
	rawFrom  int64
	queriers []storage.Querier
	series   map[uint64][]*ranged
	count    int
	filled   atomic.Int64
	touched  atomic.Int64
}

// part is a stretch of time that is read from one tier.
type part struct {
	resolution tier.Resolution
	view       *tier.View
	from, to   int64
}

// ranged is one series in the making.
type ranged struct {
	labels labels.Labels
	id     tier.ID
	rolled bool // it has an id
	recent storage.Series
	late   storage.Series
	hours  []int64
	out    RangeSeries
}

func (r *ranger) run(ctx context.Context) (RangeResult, error) {
	defer r.release()
	if err := r.plan(); err != nil {
		return RangeResult{}, err
	}
	if err := r.find(ctx); err != nil {
		return RangeResult{}, err
	}
	var all []*ranged
	for _, list := range r.series {
		all = append(all, list...)
	}
	if err := r.readAll(ctx, all); err != nil {
		return RangeResult{}, err
	}
	for _, a := range all {
		if len(a.out.Times) > 0 {
			r.result.Series = append(r.result.Series, a.out)
		}
	}
	slices.SortFunc(r.result.Series, func(a, b RangeSeries) int {
		return strings.Compare(a.Series.Key(), b.Series.Key())
	})
	return r.result, nil
}

func (r *ranger) release() {
	for _, p := range r.parts {
		p.view.Close()
	}
	for _, q := range r.queriers {
		_ = q.Close() // nothing was written
	}
}

// plan chooses tier and step, and which stretch is read from where.
func (r *ranger) plan() error {
	t, err := r.store.chooseTier(r.request)
	if err != nil {
		return err
	}
	r.grid = r.request.grid(t)
	r.result.Tier, r.result.Step = t, r.grid.step
	r.result.Start, r.result.End = r.grid.from, r.grid.to
	r.rawFrom = r.result.Start
	if t == Hour {
		r.part(r.store.tiers.hour, Hour)
	}
	if t != Raw {
		r.part(r.store.tiers.minute, Minute)
	}
	return nil
}

// part takes from a tier what it holds of the part not taken yet.
func (r *ranger) part(from *tier.Tier, resolution tier.Resolution) {
	v := from.View(r.rawFrom, r.result.End)
	p := part{resolution: resolution, view: v, from: r.rawFrom, to: min(v.End, r.result.End)}
	r.parts = append(r.parts, p)
	r.rawFrom = max(r.rawFrom, p.to)
}

// chooseTier picks the tier that gives as many points as asked for, then goes
// coarser where that one does not reach back far enough.
func (s *Store) chooseTier(request RangeRequest) (Tier, error) {
	t := request.tier()
	minuteStart, hasMinutes := s.tiers.minute.Start()
	if t == Raw && hasMinutes {
		oldest, ok, err := s.raw.oldest()
		if err != nil {
			return t, err
		}
		// A mended hour begins on the hour, whatever it holds, so that only what
		// begins an hour before raw has something that raw has not.
		if !ok || request.Start < oldest && floor(oldest, hour) > minuteStart {
			t = Minute
		}
	}
	if hourStart, ok := s.tiers.hour.Start(); t == Minute && ok {
		if !hasMinutes || request.Start < minuteStart && floor(minuteStart, hour) > hourStart {
			t = Hour
		}
	}
	return t, nil
}
