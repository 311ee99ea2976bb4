package spool

import (
	"bytes"
	"io"
	"testing"
)

// FuzzSegmentReader feeds any bytes to the reader. It must end, go forward, stay
// inside the file, not depend on the size of its reads, and return no record whose
// frame is not in the bytes, whole.
func FuzzSegmentReader(f *testing.F) {
	const salt = 7
	p := []byte("preamble")
	frames := appendFrame(nil, salt, frameHeader{kind: kindRecord, position: 1, time: 5}, []byte("first"))
	frames = appendFrame(frames, salt, frameHeader{kind: kindPreamble, position: 2, preambleSum: checksum(0, p)}, p)
	frames = appendFrame(frames, salt, frameHeader{kind: kindRecord, position: 2, time: 6, preambleSum: checksum(0, p)}, []byte("second"))
	frames = appendFrame(frames, salt, frameHeader{kind: kindRecord, position: 3, time: 7, preambleSum: checksum(0, p)}, bytes.Repeat([]byte("x"), 300))
	f.Add(frames, uint16(64))
	f.Add(frames[:len(frames)-1], uint16(1))
	f.Add(frames[3:], uint16(1000))
	f.Add(append(bytes.Repeat(frameMarker[:], 50), frames...), uint16(100))
	f.Add([]byte(nil), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		all := readAll(t, b, salt, 1<<20)
		if small := readAll(t, b, salt, int(chunk)); text(small) != text(all) {
			t.Fatalf("in pieces of %d: %q, else %q", chunk, text(small), text(all))
		}
		for i, r := range all {
			if i > 0 && all[i-1].Position >= r.Position {
				t.Fatalf("positions %d and %d", all[i-1].Position, r.Position)
			}
			h := frameHeader{kind: kindRecord, position: r.Position, time: r.Time, preambleSum: checksum(0, r.Preamble)}
			if !bytes.Contains(b, appendFrame(nil, salt, h, r.Data)) {
				t.Fatalf("record %+v is not there", r)
			}
		}
	})
}

func readAll(t *testing.T, b []byte, salt uint32, chunk int) (records []Record) {
	r := newSegmentReader(bytes.NewReader(b), salt, place{}, int64(len(b)), 1, chunk)
	for {
		before := r.offset
		rec, err := r.next(0)
		if err == io.EOF {
			if r.goodEnd > int64(len(b)) {
				t.Fatalf("good to %d of %d", r.goodEnd, len(b))
			}
			return records
		}
		if err != nil || r.offset <= before || r.offset > int64(len(b)) {
			t.Fatalf("from %d to %d of %d: %v", before, r.offset, len(b), err)
		}
		records = append(records, rec)
	}
}

// FuzzSegmentHeader tells whether a header that is taken for good is one.
func FuzzSegmentHeader(f *testing.F) {
	f.Add(appendSegmentHeader(nil, segmentHeader{1, 2, 3}))
	f.Add([]byte("vspool"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, state := parseSegmentHeader(b)
		if state == headerGood && b[6] == formatVersion && b[7] == 0 && !bytes.Equal(appendSegmentHeader(nil, h), b[:segmentHeaderSize]) {
			t.Fatalf("%x gives %+v", b, h)
		}
	})
}
