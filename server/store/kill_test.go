package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/metric"
)

// childDir names the folder for the child process, childFrom the batch with
// which it begins.
const (
	childDir  = "VITALS_STORE_TEST_DIR"
	childFrom = "VITALS_STORE_TEST_FROM"
)

// killSeries are the series of the test: half of them come in order, half in
// runs of sixteen backwards.
func killSeries() (all []*metric.Series) {
	for i := range 20 {
		all = append(all, metric.NewSeries("load", fmt.Sprint("host-", i%4), metric.NewLabels("n", strconv.Itoa(i))))
	}
	return all
}

// killStep is wide enough that the TSDB compacts many times in the test.
const killStep = 7 * second

// killPoint is the n-th point of the i-th series.
func killPoint(i, n int) (at int64, value float64) {
	if i%2 == 1 {
		n ^= 15
	}
	return start + int64(n)*killStep, float64(n%977) / 4
}

// appendForever is the child: it appends batch after batch, rolls up now and
// then, and prints the number of each batch that was acknowledged, until it is
// killed.
func appendForever() {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	n, _ := strconv.Atoi(os.Getenv(childFrom))
	clock := &fakeClock{}
	clock.ms.Store(start)
	s, err := Open(context.Background(), Options{Dir: dir, MinFree: 1, Now: clock.Now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	series := killSeries()
	for ; ; n++ {
		var points []Point
		for i := range series {
			at, v := killPoint(i, n)
			points = append(points, Point{s.Ref(series[i]), at, v})
		}
		r, err := s.Append(context.Background(), points)
		if err != nil || len(r.Rejected) > 0 {
			fmt.Fprintln(os.Stderr, n, r, err)
			os.Exit(1)
		}
		fmt.Println(n)
		if n%150 == 0 {
			clock.ms.Store(start + int64(n)*killStep)
			if err := s.RollUp(context.Background()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

// runAndKill runs the child for a while and returns the last batch that it had
// acknowledged.
func runAndKill(t *testing.T, dir string, from int, life time.Duration) (last int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir, childFrom+"="+strconv.Itoa(from))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last = from - 1
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil { // it has begun
			timer = time.AfterFunc(life, func() { _ = child.Process.Kill() })
			defer timer.Stop()
		}
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			last = n
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() > 0 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return last
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	kills := 20
	if testing.Short() {
		kills = 4
	}
	last := -1
	for range kills {
		last = runAndKill(t, dir, last+1, time.Duration(20+rand.IntN(180))*time.Millisecond)
	}
	if last < kills {
		t.Fatalf("only %d batches in %d lives", last, kills)
	}
	s := openStore(t, testOptions(t, dir))
	m := model{}
	stored := 0
	for i, series := range killSeries() {
		want := map[int64]float64{}
		for n := range last + 1 {
			at, v := killPoint(i, n)
			want[at] = v
		}
		extra := map[int64]float64{} // the batch that was cut short may be there
		for n := last + 1; n < last+3; n++ {
			at, v := killPoint(i, n)
			extra[at] = v
		}
		got := map[int64]float64{}
		for _, g := range readRaw(t, s, series) {
			if _, twice := got[g.t]; twice {
				t.Fatalf("%v: two samples at %d", series, g.t)
			}
			got[g.t] = g.v
			w, ok := want[g.t]
			if !ok {
				w, ok = extra[g.t]
			}
			if !ok || w != g.v {
				t.Fatalf("%v: %v at %d was never appended", series, g.v, g.t)
			}
		}
		for at, v := range want {
			if g, ok := got[at]; !ok || g != v {
				t.Fatalf("%v: acknowledged %v at %d, got %v, %v", series, v, at, g, ok)
			}
		}
		m[series] = got
		stored += len(got)
	}
	request := RangeRequest{Matchers: byType("load"), Start: start, End: start + int64(last+16)*killStep, MaxPoints: 10}
	request.End = max(request.End, start+11*minute)
	m.wantRange(t, s, request)
	setNow(s, start+int64(last)*killStep+hour)
	if err := s.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := m.wantRange(t, s, request); r.Tier == Raw {
		t.Error("the tiers were not read")
	}
	t.Logf("%d blocks", len(s.raw.db.Blocks()))
	t.Logf("%d kills, %d samples acknowledged, each there once", kills, stored)
}
