package agent

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/client"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// TestSmallMessages has a server that takes a fortieth of what a message of a backlog
// has: all of it arrives, in smaller ones.
func TestSmallMessages(t *testing.T) {
	for _, protocol := range []client.Protocol{client.Connect, client.GRPC, client.GRPCWeb} {
		t.Run(string(protocol), func(t *testing.T) {
			q := openSpool(t)
			rec := newRecorder(q)
			series := metric.NewSeries("missed", "web-1", nil)
			for n := range 500 {
				if err := rec.record([]metric.Sample{{Series: series, Time: int64(n), Value: float64(n)}}); err != nil {
					t.Fatal(err)
				}
			}
			server, cl := newTakerOf(t, 100, client.WithProtocol(protocol))
			log := &buffer{}
			s := newSender(Options{Spool: q, Server: cl, Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Logger: slog.New(slog.NewTextHandler(log, nil))})
			if done, err := s.catchUp(t.Context(), q.End()); done || err != nil {
				t.Fatal(done, err)
			}
			if all, distinct := server.acknowledged("missed"); all != 500 || distinct != 500 || q.Stats().Records > 0 {
				t.Errorf("%d of 500 rounds came, %d different; %d are left", all, distinct, q.Stats().Records)
			}
			if server.streams > 9 {
				t.Errorf("it took %d streams", server.streams)
			}
		})
	}
}

// TestRecordTooLarge is not tried for ever without a wait.
func TestRecordTooLarge(t *testing.T) {
	q := openSpool(t)
	rec := newRecorder(q)
	for n := range 8 {
		if err := rec.record([]metric.Sample{{Series: metric.NewSeries("missed", "web-1", nil), Time: int64(n), Value: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	_, cl := newTakerOf(t, 12)
	s := newSender(Options{Spool: q, Server: cl, Reporter: &monitoringv1.Reporter{Hostname: "web-1"}, Logger: slog.New(slog.DiscardHandler)})
	if _, err := s.catchUp(t.Context(), q.End()); !tooLarge(err) {
		t.Errorf("catchUp = %v", err)
	}
}

func TestMessageSize(t *testing.T) {
	m, now := newMessageSize(), time.Unix(0, 0)
	f := func(want int) {
		t.Helper()
		if got := m.get(); got != want {
			t.Fatalf("%d bytes, want %d", got, want)
		}
	}
	m.grow(messageBytes, now)
	f(messageBytes)
	m.shrink(40_000, now)
	f(20_000)
	m.shrink(20_000, now)
	f(10_000)
	m.grow(10_000, now)
	f(10_000) // twice as much was refused
	m.grow(100, now.Add(growAgain))
	f(10_000) // that it takes little says nothing
	now = now.Add(growAgain)
	m.grow(9_000, now)
	f(20_000)
	m.shrink(20_000, now)
	f(10_000)
	for range 20 {
		now = now.Add(growAgain)
		m.grow(m.get(), now)
	}
	f(messageBytes)
	for range 30 {
		m.shrink(m.get(), now)
	}
	f(1)
}

func TestTooLarge(t *testing.T) {
	f := func(code connect.Code, text string, want bool) {
		t.Helper()
		if got := tooLarge(fmt.Errorf("sending: %w", connect.NewError(code, text))); got != want {
			t.Errorf("%v %q: %v", code, text, got)
		}
	}
	f(connect.CodeResourceExhausted, "message size 5 is larger than configured max 4", true)
	f(connect.CodeResourceExhausted, "grpc: received message larger than max (5 vs. 4)", true)
	f(connect.CodeResourceExhausted, "the disk that holds the history is full", false)
	f(connect.CodeInvalidArgument, "the series is larger than life", false)
	if tooLarge(nil) {
		t.Error("nothing is too large")
	}
}

// TestComplaintsByKind says of one kind of refusal once, whatever the value in it.
func TestComplaintsByKind(t *testing.T) {
	log := &buffer{}
	s := newSender(Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	for n := range 50 {
		s.hear(&monitoringv1.Receipt{Rejected: 1, Rejections: []*monitoringv1.Rejection{{
			Reason: fmt.Sprintf("another value is stored for this series at this time: %v is stored", 46.9375+float64(n)),
		}}})
		s.hear(&monitoringv1.Receipt{Rejected: 1, Rejections: []*monitoringv1.Rejection{{
			Reason: fmt.Sprintf("the sample is %s ahead of the server's clock; set the host's clock", time.Duration(n+61)*time.Second),
		}}})
	}
	if stored, ahead := log.count("another value"), log.count("set the host"); stored != 1 || ahead != 1 {
		t.Errorf("it is said %d and %d times:\n%s", stored, ahead, log.text.String())
	}
}
