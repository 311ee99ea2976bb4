package spool

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".seg"

// segment is one file of the queue. The spool's mutex guards all but base, salt
// and path, which never change.
type segment struct {
	path string
	salt uint32
	base Position // of its first record

	next      Position // one past its last record
	size      int64    // bytes that hold whole frames
	firstTime int64
	lastTime  int64 // known only of the newest segment

	sealed bool // has no further records to come
	pins   int  // readers and syncs that have the file open
	doomed bool // to be deleted when the last pin goes
	synced bool // all that is in it has reached the disk
}

func segmentPath(dir string, base Position) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", uint64(base), segmentSuffix))
}

// parseSegmentName returns the base that a file's name tells.
func parseSegmentName(name string) (Position, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseUint(digits, 10, 64)
	return Position(base), err == nil && base > 0
}

// preamble is one with its checksum, by which records name it.
type preamble struct {
	data []byte
	sum  uint32
}

// place is a point between two frames of a segment and the preamble in force
// there.
type place struct {
	offset   int64
	preamble preamble
}

// segmentReader reads the frames of one segment and steps over what is damaged.
// Records that it returns point into its buffers, which it does not use again.
type segmentReader struct {
	src   io.ReaderAt
	salt  uint32
	end   int64 // of what may be read
	chunk int   // bytes to read at a time

	place
	mem  []byte   // the buffer, whole
	buf  []byte   // the part of mem that is read and lies at place.offset
	kept bool     // a returned record points into mem
	low  Position // the next record is not below this one

	// What a recovery wants to know.
	goodEnd int64    // one past the last frame that was whole
	seen    Position // one past the highest position in any good header
}

// newSegmentReader reads from at on; low is the lowest position to believe there.
func newSegmentReader(src io.ReaderAt, salt uint32, at place, end int64, low Position, chunk int) *segmentReader {
	return &segmentReader{src: src, salt: salt, end: end, chunk: chunk, place: at, low: low, goodEnd: at.offset}
}

// next returns the first whole record at or after from. At the end of the
// segment it returns io.EOF, and any other error is one of reading the file.
func (r *segmentReader) next(from Position) (Record, error) {
	for {
		h, err := r.header()
		if err != nil {
			return Record{}, err
		}
		if h.kind == kindRecord && h.position < from && r.offset+h.size() <= r.end {
			r.skip(h.size()) // not asked for: no need to check its body
			r.low = max(r.low, h.position+1)
			r.goodEnd = r.offset
			continue
		}
		frame, err := r.peek(h.size())
		if err != nil {
			if errors.Is(err, io.EOF) {
				r.skip(r.end - r.offset) // cut off in the middle of the body
			}
			return Record{}, err
		}
		r.skip(h.size())
		body := frame[frameHeaderSize:]
		if checksum(r.salt, body) != h.bodySum {
			continue
		}
		r.goodEnd = r.offset
		switch {
		case h.kind == kindPreamble && checksum(0, body) == h.preambleSum:
			r.preamble = preamble{append([]byte(nil), body...), h.preambleSum}
		case h.kind == kindRecord && h.position >= r.low && h.preambleSum == r.preamble.sum:
			r.low = h.position + 1
			r.kept = true
			return Record{h.position, h.time, r.preamble.data, slices.Clip(body)}, nil
		}
	}
}

// header returns the good header at the reader's place, which it moves past what
// is damaged.
func (r *segmentReader) header() (frameHeader, error) {
	for {
		b, err := r.peek(frameHeaderSize)
		if err != nil {
			return frameHeader{}, err
		}
		if h, ok := parseFrameHeader(b, r.salt); ok {
			r.seen = max(r.seen, h.position)
			if h.kind == kindRecord {
				r.seen = max(r.seen, h.position+1)
			}
			return h, nil
		}
		if b, err = r.peek(r.end - r.offset); err != nil {
			if errors.Is(err, io.EOF) { // the file got shorter; peek moved the end
				continue
			}
			return frameHeader{}, err
		}
		i := findFrame(b[1:], r.salt)
		if i < 0 {
			r.skip(r.end - r.offset)
			return frameHeader{}, io.EOF
		}
		r.skip(int64(1 + i))
	}
}

// peek returns the next n bytes without moving on. It returns io.EOF when there
// are fewer.
func (r *segmentReader) peek(n int64) ([]byte, error) {
	if n <= int64(len(r.buf)) {
		return r.buf[:n], nil
	}
	if r.offset+n > r.end {
		return nil, io.EOF
	}
	size := min(max(n, int64(r.chunk)), r.end-r.offset)
	if r.kept || int64(len(r.mem)) < size {
		r.mem = make([]byte, size)
		r.kept = false
	}
	have := copy(r.mem, r.buf)
	got, err := r.src.ReadAt(r.mem[have:size], r.offset+int64(have))
	r.buf = r.mem[:have+got]
	if have+got < int(size) {
		if err != nil && err != io.EOF {
			return nil, err
		}
		r.end = r.offset + int64(have+got) // someone cut the file
	}
	if int64(len(r.buf)) < n {
		return nil, io.EOF
	}
	return r.buf[:n], nil
}

// skip moves n bytes on.
func (r *segmentReader) skip(n int64) {
	r.offset += n
	r.buf = r.buf[min(n, int64(len(r.buf))):]
}
