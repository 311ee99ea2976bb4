package spool

import (
	"testing"
	"time"
)

func benchSpool(b *testing.B) *Spool {
	return openSpool(b, Options{Dir: b.TempDir(), MaxBytes: 128 << 20})
}

// BenchmarkAppend has records and a preamble of the size of an agent's.
func BenchmarkAppend(b *testing.B) {
	s := benchSpool(b)
	if err := s.SetPreamble(make([]byte, 20<<10)); err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 2<<10)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Append(0, record); err != nil {
			b.Fatal(err)
		}
		// No agent appends faster than its sender is meant to acknowledge.
		if end := s.End(); end%4096 == 0 {
			if err := s.Ack(0, end); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRead streams a backlog of 64 MiB in batches of a megabyte.
func BenchmarkRead(b *testing.B) {
	s := benchSpool(b)
	const records, size = 32 << 10, 2 << 10
	for range records {
		if _, err := s.Append(0, make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(records * size)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for from := Position(0); from < s.End(); {
			batch, next, err := s.Read(from, 0, 1<<20)
			if err != nil {
				b.Fatal(err)
			}
			n += len(batch)
			from = next
		}
		if n != records {
			b.Fatalf("%d records", n)
		}
	}
}

// BenchmarkLive is the steady state of an agent: append, read at the tail,
// acknowledge.
func BenchmarkLive(b *testing.B) {
	s := benchSpool(b)
	record := make([]byte, 2<<10)
	pos := s.End()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Append(0, record); err != nil {
			b.Fatal(err)
		}
		batch, next, err := s.Read(pos, 100, 1<<20)
		if err != nil || len(batch) != 1 {
			b.Fatalf("%d records, %v", len(batch), err)
		}
		if err := s.Ack(pos, next); err != nil {
			b.Fatal(err)
		}
		pos = next
	}
}

// BenchmarkOpen opens a spool of 64 MiB.
func BenchmarkOpen(b *testing.B) {
	s := benchSpool(b)
	for range 32 << 10 {
		if _, err := s.Append(0, make([]byte, 2<<10)); err != nil {
			b.Fatal(err)
		}
	}
	opts := s.opts
	opts.SyncInterval = time.Hour
	abandon(s)
	for b.Loop() {
		s, err := Open(opts)
		if err != nil {
			b.Fatal(err)
		}
		abandon(s)
	}
}
