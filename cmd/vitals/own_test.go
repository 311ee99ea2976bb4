package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"github.com/vitals-rpc/vitals/agent"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/store"
)

// moodyServer keeps what it is told, while it is in the mood.
type moodyServer struct {
	err  error
	kept []metric.Sample
}

func (*moodyServer) Introduce(fleet.Reporter) {}

func (s *moodyServer) Report(_ context.Context, samples []metric.Sample) error {
	if s.err == nil {
		s.kept = append(s.kept, samples...)
	}
	return s.err
}

// TestOwnReports: what cannot be stored waits, and is stored once, in order, when it
// can be; what is refused does not wait; rounds of a clock that was set back are kept
// apart.
func TestOwnReports(t *testing.T) {
	srv := &moodyServer{}
	o := &ownReports{server: srv, logger: slog.New(slog.DiscardHandler), times: &agent.Times{}}
	series := metric.NewSeries("m", "hub", nil)
	round := make([]metric.Sample, 1) // one slice for all, as the collector has
	report := func(at int64) {
		round[0] = metric.Sample{Series: series, Time: at, Value: float64(at)}
		o.report(t.Context(), round)
	}
	want := func(times ...int64) {
		t.Helper()
		var got []int64
		for _, s := range srv.kept {
			got = append(got, s.Time)
		}
		if !slices.Equal(got, times) {
			t.Errorf("kept %v; want %v", got, times)
		}
		srv.kept = nil
	}
	report(1000)
	want(1000)
	srv.err = store.ErrFull
	report(2000)
	report(3000)
	want()
	srv.err = nil
	report(4000)
	want(4000, 2000, 3000)
	srv.err = &server.RefusedError{Count: 1, Reason: store.ErrConflict}
	report(5000)
	srv.err = nil
	report(6000)
	want(6000)
	report(5000) // set back
	report(6000)
	want(5001, 6001)

	srv.err = store.ErrUnavailable
	at := int64(10_000)
	for range maxHeld + 5 {
		at += 1000
		report(at)
	}
	if len(o.held) != maxHeld || o.samples != maxHeld || o.lost != 5 {
		t.Errorf("%d rounds of %d samples wait, %d are lost", len(o.held), o.samples, o.lost)
	}
	srv.err = errors.New("something else")
	report(at + 1000)
	if o.lost != 6 {
		t.Errorf("%d are lost", o.lost)
	}
	srv.err = nil
	report(at + 2000)
	if len(srv.kept) != 1+catchUp || !o.failing {
		t.Errorf("%d are kept at once, failing %v", len(srv.kept), o.failing)
	}
}
