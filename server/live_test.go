package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// viewer reads a live stream as a caller would: it learns the series' names and
// keeps the newest value of each.
type viewer struct {
	series   map[uint32]*monitoringv1.Series
	values   map[string]float64 // by "host type"
	complete int                // snapshots that were completed
	dropped  uint64
	updates  int
}

func newViewer() *viewer {
	return &viewer{series: map[uint32]*monitoringv1.Series{}, values: map[string]float64{}}
}

func (v *viewer) take(t *testing.T, u *monitoringv1.Update) {
	t.Helper()
	v.updates++
	v.dropped += u.GetDropped()
	for _, def := range u.GetSeries() {
		v.series[def.GetId()] = def.GetSeries()
	}
	for _, samples := range u.GetSamples() {
		if samples.GetTime().AsTime().Before(time.Now().Add(-time.Hour)) {
			t.Errorf("samples of %v", samples.GetTime().AsTime())
		}
		for i, id := range samples.GetSeriesIds() {
			s := v.series[id]
			if s == nil {
				t.Fatalf("series %d was not named", id)
			}
			v.values[s.GetHostname()+" "+s.GetMetricType()] = samples.GetValues()[i]
		}
	}
	if u.GetSnapshotComplete() {
		v.complete++
	}
	if time.Since(u.GetServerTime().AsTime()).Abs() > time.Minute {
		t.Errorf("server_time %v", u.GetServerTime().AsTime())
	}
}

// subscribe opens a stream and returns what reads its next update.
func subscribe(t *testing.T, c *client.Client, req *monitoringv1.SubscribeRequest) (next func() *monitoringv1.Update) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	t.Cleanup(cancel)
	stream, err := c.Live().Subscribe(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return func() *monitoringv1.Update {
		t.Helper()
		res, err := stream.Receive()
		if err != nil {
			t.Fatal(err)
		}
		return res.GetUpdate()
	}
}

func TestSubscribe(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.PutSeries(metric.NewSeries(metric.CPU, "web-1", nil), 1)
	srv.PutSeries(metric.NewSeries(metric.CPU, "db-1", nil), 2)
	servertest.EachConnection(t, func(t *testing.T, conn servertest.Connection) {
		next := subscribe(t, srv.Client(conn), &monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{
			{HostnamePrefixes: []string{"web-"}},
			{Hostnames: []string{servertest.Hostname}, MetricTypes: []string{metric.Memory, metric.Disk}},
		}})
		v := newViewer()
		for v.complete == 0 {
			v.take(t, next())
		}
		want := map[string]float64{"web-1 cpu": 1, "server01 memory": 3.25, "server01 disk": 40}
		if fmt.Sprint(v.values) != fmt.Sprint(want) {
			t.Errorf("snapshot %v, want %v", v.values, want)
		}
		if unit := v.series[0].GetUnit(); unit == "" {
			t.Errorf("a series without a unit: %v", v.series[0])
		}
	})
}

func TestSubscribeGoesOn(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	c := srv.Client(servertest.Connection{})
	next := subscribe(t, c, &monitoringv1.SubscribeRequest{Selectors: []*monitoringv1.Selector{{MetricTypes: []string{metric.CPU}}}})
	v := newViewer()
	v.take(t, next())

	srv.Put(metric.CPU, 55)
	srv.Put(metric.Memory, 99) // was not asked for
	for v.values["server01 cpu"] != 55 {
		v.take(t, next())
	}
	// A host that comes later is seen too.
	srv.PutSeries(metric.NewSeries(metric.CPU, "late-1", nil), 7)
	for v.values["late-1 cpu"] != 7 {
		v.take(t, next())
	}
	if len(v.values) != 2 || v.complete != 1 {
		t.Errorf("values %v, %d snapshots", v.values, v.complete)
	}
}

// TestSubscribeInterval holds a paced stream to the newest value: what came in
// between is left out, and not counted as lost.
func TestSubscribeInterval(t *testing.T) {
	t.Parallel()
	srv := servertest.NewSeeded(t, server.Options{})
	next := subscribe(t, srv.Client(servertest.Connection{}), &monitoringv1.SubscribeRequest{
		Selectors: []*monitoringv1.Selector{{MetricTypes: []string{metric.CPU}}},
		Interval:  durationpb.New(time.Second),
	})
	v := newViewer()
	v.take(t, next())
	for i := range 20 {
		srv.Put(metric.CPU, float64(i))
	}
	before := v.updates
	for v.values["server01 cpu"] != 19 {
		v.take(t, next())
	}
	if n := v.updates - before; n > 2 || v.dropped != 0 {
		t.Errorf("20 samples within an interval came in %d updates, %d dropped", n, v.dropped)
	}
}

func TestWatchChangesItsChoice(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.PutSeries(metric.NewSeries(metric.CPU, "web-1", nil), 1)
	for _, conn := range servertest.Connections() {
		if !conn.HTTP2 {
			continue
		}
		t.Run(conn.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
			defer cancel()
			stream, err := srv.Client(conn).Live().Watch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			choose := func(sel *monitoringv1.Selector) {
				t.Helper()
				if err := stream.Send(&monitoringv1.WatchRequest{Selectors: []*monitoringv1.Selector{sel}}); err != nil {
					t.Fatal(err)
				}
			}
			v := newViewer()
			until := func(snapshots int) {
				t.Helper()
				for v.complete < snapshots {
					res, err := stream.Receive()
					if err != nil {
						t.Fatal(err)
					}
					v.take(t, res.GetUpdate())
				}
			}
			choose(&monitoringv1.Selector{MetricTypes: []string{metric.Memory}})
			until(1)
			if fmt.Sprint(v.values) != fmt.Sprint(map[string]float64{"server01 memory": 3.25}) {
				t.Errorf("first choice: %v", v.values)
			}
			clear(v.values)
			choose(&monitoringv1.Selector{Hostnames: []string{"web-1"}})
			until(2)
			if fmt.Sprint(v.values) != fmt.Sprint(map[string]float64{"web-1 cpu": 1}) {
				t.Errorf("second choice: %v", v.values)
			}
			// Having chosen its last, a caller goes on listening.
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			srv.PutSeries(metric.NewSeries(metric.CPU, "web-1", nil), 2)
			for v.values["web-1 cpu"] != 2 {
				res, err := stream.Receive()
				if err != nil {
					t.Fatal(err)
				}
				v.take(t, res.GetUpdate())
			}
			srv.PutSeries(metric.NewSeries(metric.CPU, "web-1", nil), 1)
		})
	}
}

func TestWatchNeedsHTTP2(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	stream, err := srv.Client(servertest.Connection{}).Live().Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&monitoringv1.WatchRequest{})
	if _, err := stream.Receive(); err == nil {
		t.Error("a stream both ways over HTTP/1.1 worked")
	}
}

func TestLiveStreamEndsWithTheServer(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	stream, err := srv.Client(servertest.Connections()[4]).Live().Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&monitoringv1.WatchRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Receive(); err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	for err == nil {
		_, err = stream.Receive()
	}
	wantError(t, err, connect.CodeUnavailable, "the server is stopping")
}

// TestHeartbeat: a stream on which nothing comes says that it is there, so that
// both sides notice a dead peer.
func TestHeartbeat(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{Heartbeat: 200 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	stream, err := srv.Client(servertest.Connection{}).Live().Subscribe(ctx, &monitoringv1.SubscribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	v := newViewer()
	for v.updates < 2 {
		res, err := stream.Receive()
		if err != nil {
			t.Fatal(err)
		}
		v.take(t, res.GetUpdate())
	}
	if len(v.series) != 0 || v.complete != 1 {
		t.Errorf("%d series, %d snapshots of a server that knows nothing", len(v.series), v.complete)
	}
}

func TestSubscribeIsValidated(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	stream, err := srv.Client(servertest.Connection{}).Live().Subscribe(t.Context(), &monitoringv1.SubscribeRequest{Interval: durationpb.New(-time.Second)})
	if err == nil {
		_, err = stream.Receive()
	}
	wantError(t, err, connect.CodeInvalidArgument, "interval")
}
