package agent

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/agent/spool"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/metric"
)

// TestRecord reads back what the recorder has written.
func TestRecord(t *testing.T) {
	q := openSpool(t)
	rec := newRecorder(q)
	core := metric.NewSeries("cpu_core", "web-1", metric.NewLabels("core", "0"))
	if err := rec.record(nil); err != nil || q.End() != 1 {
		t.Errorf("no samples: %v, %d", err, q.End())
	}
	if err := rec.record([]metric.Sample{{Series: core, Time: 1234, Value: 12.5}}); err != nil {
		t.Fatal(err)
	}
	records, _, err := q.Read(0, 0, 0)
	if err != nil || len(records) != 1 || records[0].Time != 1234 {
		t.Fatal(records, err)
	}
	var req monitoringv1.ReportRequest
	if err := proto.Unmarshal(append(bytes.Clone(records[0].Preamble), records[0].Data...), &req); err != nil {
		t.Fatal(err)
	}
	def, s := req.GetSeries()[0], req.GetSamples()[0]
	if def.GetSeries().GetHostname() != "" || def.GetSeries().GetUnit() != "percent" || def.GetSeries().GetLabels()["core"] != "0" {
		t.Errorf("definition %v", def)
	}
	if s.GetTime().AsTime().UnixMilli() != 1234 || s.GetSeriesIds()[0] != def.GetId() || s.GetValues()[0] != 12.5 {
		t.Errorf("samples %v", s)
	}
}

// TestUniqueTimes: no two rounds have one time, whatever the clock does.
func TestUniqueTimes(t *testing.T) {
	f := func(clock []int64, want []int64) {
		t.Helper()
		r := newRecorder(openSpool(t))
		for i, at := range clock {
			if got := r.times.Unique(at); got != want[i] {
				t.Errorf("round %d of %v has the time %d, want %d", i, clock, got, want[i])
			}
		}
	}
	f([]int64{1000, 2000, 3000}, []int64{1000, 2000, 3000})
	f([]int64{1000, 1000, 1000, 2000}, []int64{1000, 1001, 1002, 2000})
	f([]int64{1000, 2000, 3000, 2000, 3000, 4000}, []int64{1000, 2000, 3000, 2001, 3001, 4000})
	f([]int64{1000, 2000, 1000, 2000, 1000, 2000}, []int64{1000, 2000, 1001, 2001, 1002, 2002})
	f([]int64{3000, 1000, 3000}, []int64{3000, 1001, 3001})
	f([]int64{1000, 2000, 1000, 3000, 1000, 2000, 4000}, []int64{1000, 2000, 1001, 3000, 1002, 2002, 4000})
}

// TestDefineForgets starts a new dictionary when most of the old one is of series
// that are gone.
func TestDefineForgets(t *testing.T) {
	rec := newRecorder(openSpool(t))
	for n := range 1000 { // a process of another name each second
		s := metric.NewSeries("process", "web-1", metric.NewLabels("n", strings.Repeat("x", n%500+1)))
		if err := rec.record([]metric.Sample{{Series: s, Time: int64(n), Value: 1}}); err != nil {
			t.Fatal(err)
		}
		if len(rec.ids) > 70 || len(rec.defs.Series) != len(rec.ids) {
			t.Fatalf("after %d rounds of one series there are %d numbers and %d definitions", n, len(rec.ids), len(rec.defs.Series))
		}
	}
}

// TestRecordLost counts what the spool does not take, says so once, and once
// that it is over.
func TestRecordLost(t *testing.T) {
	log := &buffer{}
	q, err := spool.Open(spool.Options{Dir: t.TempDir(), MaxBytes: 400, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	a := New(Options{Spool: q, Logger: slog.New(slog.NewTextHandler(log, nil))})
	big := metric.NewSeries("m", "web-1", metric.NewLabels("a", strings.Repeat("x", 500)))
	small := metric.NewSeries("m", "web-1", nil)
	for range 3 {
		a.record([]metric.Sample{{Series: big, Time: 1, Value: 1}})
	}
	if log.count("cannot keep samples") != 1 {
		t.Errorf("not said once:\n%s", log.text.String())
	}
	a.record([]metric.Sample{{Series: small, Time: 2, Value: 1}})
	if log.count("kept on disk again") != 1 || log.count("rounds_not_kept=3") != 1 {
		t.Errorf("not said that it is over:\n%s", log.text.String())
	}
}

// TestClockSetBackWhileStopped: a recorder that begins on a clock that was set
// back takes no time that the run before has taken.
func TestClockSetBackWhileStopped(t *testing.T) {
	q := openSpool(t)
	core := metric.NewSeries("cpu", "web-1", nil)
	taken := map[int64]bool{}
	for _, clock := range [][]int64{{1000, 2000, 3000}, {1000, 2000, 3000, 4000}} {
		r := newRecorder(q)
		for _, at := range clock {
			if err := r.record([]metric.Sample{{Series: core, Time: at, Value: 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	records, _, err := q.Read(0, 0, 0)
	if err != nil || len(records) != 7 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		if taken[r.Time] {
			t.Errorf("the time %d was taken twice", r.Time)
		}
		taken[r.Time] = true
	}
	if last := records[6].Time; last != 4000 {
		t.Errorf("once the clock is where it was, times are its own: %d, want 4000", last)
	}
}
