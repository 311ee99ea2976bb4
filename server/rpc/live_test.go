package rpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server/live"

	"google.golang.org/protobuf/types/known/durationpb"
)

type noUnits struct{}

func (noUnits) Unit(string) metric.Unit { return metric.Count }

// TestPace: a stream with an interval gets the newest of each series once in it,
// loses nothing that it would want, however long the interval, and is told between
// that the server is there.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := live.NewHub()
		cell := hub.Cell(metric.NewSeries("m", "web-1", nil))
		put := func() {
			now := time.Now().UnixMilli()
			hub.Publish([]live.Point{{Cell: cell, Time: now, Value: float64(now)}})
		}
		put()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		type heard struct {
			after time.Duration
			*monitoringv1.Update
		}
		var all []heard
		began := time.Now()
		f := &feed{&LiveService{Live: hub, Types: noUnits{}}, func(m *message) error {
			all = append(all, heard{time.Since(began), m.update})
			return nil
		}}
		ended := make(chan error, 1)
		go func() { ended <- f.follow(ctx, choice{interval: durationpb.New(time.Minute)}) }()
		for range 150 {
			time.Sleep(time.Second)
			put()
		}
		time.Sleep(2 * time.Minute) // in which nothing comes
		put()
		synctest.Wait()
		cancel()
		if err := <-ended; err == nil {
			t.Error("it ended without a reason")
		}
		var with []time.Duration
		last := time.Duration(0)
		for i, u := range all {
			if u.GetDropped() > 0 {
				t.Errorf("after %s: %d dropped", u.after, u.GetDropped())
			}
			if quiet := u.after - last; quiet > DefaultHeartbeat+time.Second {
				t.Errorf("silent for %s until %s", quiet, u.after)
			}
			last = u.after
			if i == 0 || len(u.GetSamples()) == 0 {
				continue
			}
			with = append(with, u.after)
			if n := len(u.GetSamples()); n != 1 {
				t.Errorf("after %s: %d samples of one series", u.after, n)
			}
			if age := u.after - u.GetSamples()[0].GetTime().AsTime().Sub(began); age > breath && u.after < 150*time.Second {
				t.Errorf("after %s: the sample is %s old", u.after, age)
			}
		}
		// At 60 and 120 s, then what is left of the samples, then the last at once.
		if want := 4; len(with) != want || with[0] != time.Minute || with[1] != 2*time.Minute || with[3] != 270*time.Second {
			t.Errorf("samples came after %v", with)
		}
	})
}
