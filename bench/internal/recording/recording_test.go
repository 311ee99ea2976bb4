package recording_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vitals-rpc/vitals/bench/internal/recording"
	"github.com/vitals-rpc/vitals/metric"
)

// rounds are three rounds of two series, of which one begins later.
func rounds() *recording.Recording {
	a := metric.NewSeries("cpu", "web-1", nil)
	b := metric.NewSeries("disk_read", "web-1", metric.NewLabels("device", "sda"))
	r := &recording.Recording{}
	r.Add([]metric.Sample{{Series: a, Time: 1000, Value: 1.5}})
	r.Add([]metric.Sample{{Series: a, Time: 2000, Value: -0.25}, {Series: b, Time: 2000, Value: 1e300}})
	r.Add([]metric.Sample{{Series: a, Time: 3001, Value: 0}, {Series: b, Time: 3001, Value: math.SmallestNonzeroFloat64}})
	return r
}

// flat is all samples of a recording in the order of Rounds.
func flat(t *testing.T, r *recording.Recording) (all []metric.Sample) {
	t.Helper()
	if err := r.Rounds(func(round []metric.Sample) error { all = append(all, round...); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFileGivesBackWhatWasRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	want := rounds()
	if err := want.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := recording.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b metric.Sample) bool {
		return a.Series.Key() == b.Series.Key() && a.Time == b.Time && math.Float64bits(a.Value) == math.Float64bits(b.Value)
	}
	if !slices.EqualFunc(flat(t, want), flat(t, got), same) || got.Samples() != 5 {
		t.Errorf("got %v, want %v", flat(t, got), flat(t, want))
	}
	if first, last := got.Bounds(); first != 1000 || last != 3001 {
		t.Errorf("bounds are %d and %d", first, last)
	}
}

func TestCut(t *testing.T) {
	f := func(from, to int64, want int) {
		t.Helper()
		if got := rounds().Cut(from, to).Samples(); got != want {
			t.Errorf("[%d, %d) has %d samples; want %d", from, to, got, want)
		}
	}
	f(0, 10_000, 5)
	f(1000, 2000, 1)
	f(2000, 3001, 2)
	f(4000, 5000, 0)
}

// A file that is cut short, or no recording, is an error and no panic.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	if err := rounds().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := recording.Read(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a recording", n, len(whole))
		}
	}
}

// The recording in the repository is one of a real host.
func TestCommittedRecording(t *testing.T) {
	r, err := recording.ReadFile("../../testdata/host.recording")
	if err != nil {
		t.Fatal(err)
	}
	first, last := r.Bounds()
	if r.Samples() < 30_000 || last-first < 600_000 {
		t.Errorf("%d samples over %d ms are too few to measure by", r.Samples(), last-first)
	}
	for _, s := range r.Series {
		if err := s.Series.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestJoin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	if err := rounds().Cut(0, 3000).WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := recording.ReadFile(path) // whose series are others than those of the rest
	if err != nil {
		t.Fatal(err)
	}
	got.Join(rounds().Cut(3000, 4000))
	if len(got.Series) != 2 || got.Samples() != 5 {
		t.Errorf("%d samples of %d series", got.Samples(), len(got.Series))
	}
	want, joined := flat(t, rounds()), flat(t, got)
	for i := range want {
		if want[i].Series.Key() != joined[i].Series.Key() || want[i].Time != joined[i].Time || want[i].Value != joined[i].Value {
			t.Errorf("sample %d is %v, want %v", i, joined[i], want[i])
		}
	}
}
