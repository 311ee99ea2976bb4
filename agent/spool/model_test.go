package spool

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the spool as a plain array.
type model struct {
	records []modelRecord // that of position p is at p-1
}

type modelRecord struct {
	text string
	size int
	done bool
}

func (m *model) unacknowledged(from Position, maxRecords, maxBytes int) (want []string) {
	bytes := 0
	for i := max(from, 1) - 1; int(i) < len(m.records) && len(want) < maxRecords && bytes < maxBytes; i++ {
		r := m.records[i]
		if r.done {
			continue
		}
		if len(want) > 0 && bytes+r.size > maxBytes {
			break
		}
		want = append(want, r.text)
		bytes += r.size
	}
	return want
}

// drop takes for dropped what lies below the spool's first segment, and returns
// how many records the spool ought to have counted.
func (m *model) drop(below Position) (n uint64) {
	for i := range max(int(below)-1, 0) {
		if !m.records[i].done {
			m.records[i].done = true
			n++
		}
	}
	return n
}

// TestModel runs any sequence of calls, with restarts and deaths, against the
// model. Which segments are dropped is the spool's decision; that exactly their
// unacknowledged records are, and no more than the budget asks for, is checked.
func TestModel(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "") //nolint:usetesting // rapid.T has no TempDir
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opts := Options{
			Dir:          dir,
			SegmentBytes: int64(rapid.SampledFrom([]int{1, 200, 1000}).Draw(t, "segment")),
			MaxBytes:     int64(rapid.SampledFrom([]int{2000, 1 << 20}).Draw(t, "budget")),
			Logger:       slog.New(slog.DiscardHandler),
			Now:          func() time.Time { return time.UnixMilli(0) },
		}
		s, err := Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { abandon(s) }()
		var (
			m        model
			preamble string
			dropped  uint64
		)
		position := rapid.Custom(func(t *rapid.T) Position {
			return Position(rapid.IntRange(0, len(m.records)+1).Draw(t, "position"))
		})
		reopen := func(leave func()) {
			leave()
			if s, err = Open(opts); err != nil {
				t.Fatal(err)
			}
			preamble, dropped = "", 0
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				data := strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "size"))
				pos, err := s.Append(0, []byte(data))
				if err != nil || int(pos) != len(m.records)+1 {
					t.Fatalf("Append: %d, %v with %d records", pos, err, len(m.records))
				}
				r := Record{Position: pos, Data: []byte(data)}
				if preamble != "" {
					r.Preamble = []byte(preamble)
				}
				m.records = append(m.records, modelRecord{text: text([]Record{r}), size: len(data)})
			},
			"preamble": func(t *rapid.T) {
				preamble = rapid.SampledFrom([]string{"", "p", "a longer preamble"}).Draw(t, "preamble")
				if err := s.SetPreamble([]byte(preamble)); err != nil {
					t.Fatal(err)
				}
			},
			"read": func(t *rapid.T) {
				from := position.Draw(t, "from")
				maxRecords := rapid.IntRange(1, 20).Draw(t, "records")
				maxBytes := rapid.IntRange(1, 1000).Draw(t, "bytes")
				got, next, err := s.Read(from, maxRecords, maxBytes)
				want := m.unacknowledged(from, maxRecords, maxBytes)
				if err != nil || text(got) != strings.Join(want, " ") {
					t.Fatalf("Read(%d, %d, %d) = %q, %v; want %q", from, maxRecords, maxBytes, text(got), err, want)
				}
				if len(got) > 0 && next <= got[len(got)-1].Position || len(got) == 0 && next != s.End() {
					t.Fatalf("Read(%d) = %q and goes on at %d", from, text(got), next)
				}
				if rest := m.unacknowledged(from, 1<<30, 1<<30); len(rest) > len(got) {
					if after, _, _ := s.Read(next, 1, 1); text(after) != rest[len(got)] {
						t.Fatalf("Read(%d) goes on with %q, want %q", next, text(after), rest[len(got)])
					}
				}
			},
			"ack": func(t *rapid.T) {
				from, to := position.Draw(t, "from"), position.Draw(t, "to")
				if err := s.Ack(from, to); (err != nil) != (from > to) {
					t.Fatalf("Ack(%d, %d): %v", from, to, err)
				}
				for i := max(from, 1); i < to; i++ {
					m.records[i-1].done = true
				}
			},
			"close": func(t *rapid.T) { reopen(func() { s.Close() }) },
			"die":   func(t *rapid.T) { reopen(func() { abandon(s) }) },
			"": func(t *rapid.T) {
				first := s.End()
				if len(s.segments) > 0 {
					first = s.segments[0].base
				}
				dropped += m.drop(first)
				want := m.unacknowledged(0, 1<<30, 1<<30)
				got, _, err := s.Read(0, 0, 0)
				if err != nil || text(got) != strings.Join(want, " ") {
					t.Fatalf("holds %q, %v; want %q", text(got), err, want)
				}
				stats := s.Stats()
				if stats.Records != uint64(len(want)) || stats.Dropped != dropped || stats.Damaged > 0 || stats.Bytes > opts.MaxBytes {
					t.Fatalf("%+v, want %d records and %d dropped", stats, len(want), dropped)
				}
				if int(s.End()) != len(m.records)+1 {
					t.Fatalf("ends at %d, want %s", s.End(), fmt.Sprint(len(m.records)+1))
				}
			},
		})
	})
}
