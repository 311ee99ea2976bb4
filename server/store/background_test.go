package store

import (
	"path/filepath"
	"testing"
	"time"
)

// TestBackground lets the store roll up, mend and sync by itself.
func TestBackground(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.SyncInterval = 10 * time.Millisecond
	s := openStore(t, o)
	m := model{cpuOf("a"): {}}
	fill(t, s, m, 2*hour, 10*second, func(i int64) float64 { return float64(i) })
	setNow(s, start+2*hour+minute)
	eventually(t, "closed buckets are written", func() bool { return s.Stats().HourEnd == start+2*hour })
	for series, samples := range m {
		mustAppend(t, s, Point{s.Ref(series), start + hour + 1, 1e6})
		samples[start+hour+1] = 1e6
	}
	if n := s.Stats().HoursToMend; n != 1 {
		t.Errorf("%d hours to mend", n)
	}
	request := RangeRequest{Matchers: byType("cpu"), Start: start, End: start + 2*hour - 1, MaxPoints: 2}
	if r := m.wantRange(t, s, request); r.Tier != Hour {
		t.Errorf("read from %v", r.Tier)
	}
	setNow(s, start+2*hour+5*minute)
	eventually(t, "the hour is mended", func() bool { return s.Stats().HoursToMend == 0 })
	m.wantRange(t, s, request)
	if st := s.Stats(); st.HoursMended != 1 || st.BucketsWritten < 122 {
		t.Errorf("%+v", st)
	}
}

func TestSyncNewest(t *testing.T) {
	s := testStore(t)
	mustAppend(t, s, Point{s.Ref(cpuOf("a")), start, 1})
	dir := filepath.Join(s.options.Dir, "raw", "wal")
	synced := map[string]string{}
	for range 2 {
		if err := syncNewest(dir, synced); err != nil {
			t.Fatal(err)
		}
	}
	if synced[dir] != filepath.Join(dir, "00000000") {
		t.Errorf("synced %v", synced)
	}
	if err := syncNewest(filepath.Join(dir, "missing"), synced); err == nil {
		t.Error("a log that is not there was synced")
	}
}
