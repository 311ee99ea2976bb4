package tier

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"
)

const (
	day   = 86_400_000
	begin = int64(19_000) * day
)

var nobody = slog.New(slog.DiscardHandler)

func openTier(t *testing.T, dir string) *Tier {
	t.Helper()
	tier, err := Open(dir, Minute, nobody)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
	return tier
}

func (c *Columns) rows() (rows []Bucket) {
	for i := range c.Len() {
		rows = append(rows, c.At(i))
	}
	return rows
}

// write adds a segment with, for each series, one bucket at each given minute.
func write(t *testing.T, tier *Tier, series map[ID][]Bucket) {
	t.Helper()
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for _, rows := range series {
		for _, b := range rows {
			from, to = min(from, b.Start), max(to, b.Start+60_000)
		}
	}
	w, err := tier.Writer(from, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(series)) {
		rows := series[id]
		var c Columns
		for _, b := range rows {
			c.Append(b)
		}
		w.Add(id, &c)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
}

func wantRows(t *testing.T, tier *Tier, id ID, want ...Bucket) {
	t.Helper()
	v := tier.View(begin-day, begin+2*day)
	defer v.Close()
	var c Columns
	v.Read(id, begin-day, begin+2*day, &c)
	if got := c.rows(); !slices.Equal(got, want) {
		t.Fatalf("series %d: got %v, want %v", id, got, want)
	}
}

// bucket is a bucket of n samples in the m-th minute.
func bucket(m int64, n uint32) Bucket {
	return Bucket{Start: begin + m*60_000, Count: n, Min: 1, Max: float64(m), Sum: float64(m) * 2.5, Last: 2}
}

// TestColumns packs columns of every kind and reads any part of them.
func TestColumns(t *testing.T) {
	kinds := map[string]func(*rapid.T) float64{
		"same":    func(*rapid.T) float64 { return 42 },
		"zero":    func(t *rapid.T) float64 { return math.Copysign(0, rapid.Float64Range(-1, 1).Draw(t, "v")) },
		"decimal": func(t *rapid.T) float64 { return float64(rapid.IntRange(-9999, 9999).Draw(t, "v")) / 100 },
		"whole":   func(t *rapid.T) float64 { return float64(rapid.Int64Range(0, 1<<51).Draw(t, "v")) },
		"noise":   func(t *rapid.T) float64 { return rapid.Float64Range(30, 60).Draw(t, "v") },
		"any":     func(t *rapid.T) float64 { return rapid.Float64().Draw(t, "v") },
	}
	for name, value := range kinds {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			var c, got Columns
			start := begin + rapid.Int64Range(0, 100).Draw(t, "first")*60_000
			gaps := rapid.Bool().Draw(t, "gaps")
			for range rapid.IntRange(1, 200).Draw(t, "n") {
				v := value(t)
				c.Append(Bucket{start, uint32(rapid.IntRange(1, 60).Draw(t, "count")), v, value(t), v, value(t)})
				start += 60_000
				if gaps {
					start += rapid.Int64Range(0, 3).Draw(t, "gap") * 60_000
				}
			}
			from := rapid.Int64Range(begin-60_000, start).Draw(t, "from")
			to := rapid.Int64Range(from, start+60_000).Draw(t, "to")
			if rapid.Bool().Draw(t, "whole") {
				from, to = math.MinInt64, math.MaxInt64
			}
			if err := got.decode(c.encode(nil, begin, 60_000), begin, 60_000, from, to); err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(c.rows(), func(b Bucket) bool { return b.Start < from || b.Start >= to })
			equal := slices.EqualFunc(got.rows(), want, func(a, b Bucket) bool {
				return a.Start == b.Start && a.Count == b.Count && same(a.Min, b.Min) && same(a.Max, b.Max) && same(a.Last, b.Last) &&
					(a.Sum == b.Sum || math.Abs(a.Sum-b.Sum) <= 1e-12*math.Abs(b.Sum))
			})
			if !equal {
				t.Fatalf("from %d to %d\n got %v\nwant %v", from, to, got.rows(), want)
			}
		}))
	}
}

func same(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// TestBlockOfGarbage decodes what no encoder has written.
func TestBlockOfGarbage(t *testing.T) {
	var c Columns
	for i := range 50 {
		c.Add(begin+int64(i)*60_000, float64(i)/3)
	}
	whole := c.encode(nil, begin, 60_000)
	for n := range whole {
		var got Columns
		// Cut anywhere, it is an error or the whole, never a crash.
		if err := got.decode(whole[:n], begin, 60_000, begin, begin+day); err == nil && n < len(whole)-padding {
			t.Errorf("%d of %d bytes are taken for a block", n, len(whole))
		}
	}
}

func TestMoreSamplesHold(t *testing.T) {
	dir := t.TempDir()
	tier := openTier(t, dir)
	write(t, tier, map[ID][]Bucket{1: {bucket(0, 5), bucket(1, 5), bucket(2, 5)}, 2: {bucket(1, 1)}})
	write(t, tier, map[ID][]Bucket{1: {bucket(1, 9), bucket(2, 3), bucket(7, 1)}})
	want := []Bucket{bucket(0, 5), bucket(1, 9), bucket(2, 5), bucket(7, 1)}
	wantRows(t, tier, 1, want...)
	wantRows(t, tier, 2, bucket(1, 1))
	wantRows(t, tier, 3)
	again := openTier(t, dir)
	wantRows(t, again, 1, want...)
	if again.End() != begin+8*60_000 {
		t.Errorf("end %d", again.End())
	}
}

func TestMerge(t *testing.T) {
	dir := t.TempDir()
	tier := openTier(t, dir)
	var want []Bucket
	for m := range int64(3*fan + 1) {
		write(t, tier, map[ID][]Bucket{1: {bucket(m, 2)}, ID(m + 10): {bucket(m, 1)}})
		want = append(want, bucket(m, 2))
	}
	old := tier.View(begin, begin+day)
	if n, err := tier.Merge(context.Background()); err != nil || n != 1 {
		t.Fatalf("%d merges, %v", n, err)
	}
	if tier.Segments() != 1 {
		t.Errorf("%d segments", tier.Segments())
	}
	wantRows(t, tier, 1, want...)
	wantRows(t, tier, 15, bucket(5, 1))
	// What was replaced stays readable for who reads it, then goes.
	var c Columns
	if old.Read(1, begin, begin+day, &c); !slices.Equal(c.rows(), want) {
		t.Fatal(c.rows())
	}
	old.Close()
	// The day is over: one segment is left once there are enough of them.
	for range fan {
		write(t, tier, map[ID][]Bucket{1: {bucket(24*60, 1)}})
	}
	if _, err := tier.Merge(context.Background()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != tier.Segments() {
		t.Fatalf("%d files for %d segments, %v", len(files), tier.Segments(), err)
	}
	wantRows(t, openTier(t, dir), 1, append(want, bucket(24*60, 1))...)
}

func TestDamagedSegmentIsPutAside(t *testing.T) {
	dir := t.TempDir()
	tier := openTier(t, dir)
	write(t, tier, map[ID][]Bucket{1: {bucket(0, 5)}})
	write(t, tier, map[ID][]Bucket{1: {bucket(60, 5)}})
	files, _ := filepath.Glob(filepath.Join(dir, "*.segment"))
	slices.Sort(files)
	if err := os.Truncate(files[0], 40); err != nil {
		t.Fatal(err)
	}
	// A file that was being written when the power went is no harm.
	if err := os.WriteFile(filepath.Join(dir, "1_2_3_4.segment.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := openTier(t, dir)
	wantRows(t, again, 1, bucket(60, 5))
	if d := again.Damaged(); len(d) != 1 || d[0] != [2]int64{begin, begin + 60_000} {
		t.Errorf("damaged: %v", d)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestDamagedBlockIsLeftOut: the other series of the file, and other files, are read.
func TestDamagedBlockIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	tier := openTier(t, dir)
	write(t, tier, map[ID][]Bucket{1: {bucket(0, 5)}, 2: {bucket(0, 5)}})
	files, _ := filepath.Glob(filepath.Join(dir, "*.segment"))
	write(t, tier, map[ID][]Bucket{1: {bucket(1, 5)}})
	damageBlock(t, files[0])
	again := openTier(t, dir)
	wantRows(t, again, 1, bucket(1, 5))
	wantRows(t, again, 2, bucket(0, 5))
	if d := again.Damaged(); len(d) != 1 || d[0] != [2]int64{begin, begin + 60_000} {
		t.Errorf("damaged: %v", d)
	}
	wantRows(t, again, 1, bucket(1, 5))
	if d := again.Damaged(); len(d) > 0 {
		t.Errorf("told again: %v", d)
	}
}

func damageBlock(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff, 0xff}, 14); err != nil {
		t.Fatal(err)
	}
}

// TestMergeTellsOfDamage: a merge leaves out what cannot be read, and its files go;
// that something is missing there must be known afterwards.
func TestMergeTellsOfDamage(t *testing.T) {
	dir := t.TempDir()
	tier := openTier(t, dir)
	var left []Bucket
	for i := range int64(fan) {
		at := i + 1
		write(t, tier, map[ID][]Bucket{1: {bucket(at, 5)}})
		if i != 2 {
			left = append(left, bucket(at, 5))
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.segment"))
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	damageBlock(t, files[2])
	if d := tier.Damaged(); len(d) > 0 {
		t.Errorf("damaged before the merge: %v", d)
	}
	if n, err := tier.Merge(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d merges, %v", n, err)
	}
	wantRows(t, tier, 1, left...)
	if d := tier.Damaged(); len(d) != 1 || d[0] != [2]int64{begin + 3*60_000, begin + 4*60_000} {
		t.Errorf("damaged: %v", d)
	}
	if d := tier.Damaged(); len(d) > 0 {
		t.Errorf("damaged when asked again: %v", d)
	}
}

func TestExpire(t *testing.T) {
	tier := openTier(t, t.TempDir())
	write(t, tier, map[ID][]Bucket{1: {bucket(0, 5)}})
	write(t, tier, map[ID][]Bucket{1: {bucket(60, 5)}})
	if n := tier.Expire(begin + 60_000); n != 1 {
		t.Errorf("%d segments expired", n)
	}
	wantRows(t, tier, 1, bucket(60, 5))
}

func TestCatalog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "series.log")
	open := func() *Catalog {
		t.Helper()
		c, err := OpenCatalog(path, "hostname")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	series := func(typ, host string) labels.Labels {
		return labels.FromStrings("__name__", typ, "hostname", host, "x", "ü")
	}
	c := open()
	ids := map[ID]bool{}
	for i := range 10 {
		ids[c.ID(series("cpu", fmt.Sprint(i)))] = true
		ids[c.ID(series("disk", fmt.Sprint(i)))] = true
	}
	first, second := c.ID(series("cpu", "3")), c.ID(series("cpu", "3"))
	if len(ids) != 20 || first != second {
		t.Fatalf("%d numbers for 20 series", len(ids))
	}
	want := c.ID(series("disk", "7"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// A torn end is cut.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("torn torn torn torn")
	f.Close()
	c = open()
	if id, ok := c.Find(series("disk", "7")); !ok || id != want {
		t.Errorf("disk of 7 is %d, %v; was %d", id, ok, want)
	}
	f2 := func(n int, ms ...*labels.Matcher) {
		t.Helper()
		if got := c.Match(ms...); len(got) != n {
			t.Errorf("%v match %d series, want %d", ms, len(got), n)
		}
	}
	eq := func(name, value string) *labels.Matcher { return labels.MustNewMatcher(labels.MatchEqual, name, value) }
	f2(10, eq("__name__", "cpu"))
	f2(2, eq("hostname", "4"))
	f2(1, eq("hostname", "4"), eq("__name__", "disk"))
	f2(0, eq("hostname", "44"), eq("__name__", "disk"))
	f2(20, eq("x", "ü"))
	f2(20, eq("missing", ""))
	f2(6, labels.MustNewMatcher(labels.MatchRegexp, "hostname", "[1-3]"))
	if n, err := c.Retain(map[ID]struct{}{want: {}}); n != 19 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	fresh := c.ID(series("new", "1"))
	if ids[fresh] {
		t.Error("a number was given twice")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open()
	defer c.Close()
	if c.Len() != 2 || ids[c.ID(series("newer", "1"))] {
		t.Errorf("%d series", c.Len())
	}
}
