package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// mark says that a host got a sample in an hour of which buckets were written
// before. Hour is the start, in milliseconds.
type mark struct {
	host string
	hour int64
}

// markLog holds the marks that have not been mended, in memory and in a file.
// The file is appended to before the sample goes to raw, so that a crash
// between the two leaves a mark too many, never one too few. Each mark set adds
// one to its count, each mend takes one away; the file is emptied when nothing
// is left to mend.
type markLog struct {
	mu   sync.Mutex
	file *os.File
	size int64
	// open marks, and when each was last set, in milliseconds
	open map[mark]int64
	// being mended right now: still read from raw
	mending map[mark]struct{}
}

const (
	markSet    = 1
	markMended = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openMarkLog(path string) (*markLog, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, plain(err)
	}
	l := &markLog{file: file, open: map[mark]int64{}, mending: map[mark]struct{}{}}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	counts := map[mark]int{}
	for {
		op, m, n := decodeMark(text[l.size:])
		if n == 0 {
			break
		}
		l.size += int64(n)
		if op == markSet {
			counts[m]++
		} else {
			counts[m]--
		}
	}
	for m, n := range counts {
		if n > 0 {
			l.open[m] = minTime
		}
	}
	// What a crash has cut short goes, so that the next record starts clean.
	if err := file.Truncate(l.size); err != nil && !isFull(err) {
		return nil, errors.Join(plain(err), file.Close())
	}
	return l, nil
}

func encodeMark(buf []byte, op byte, m mark) []byte {
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0, op)
	buf = binary.AppendVarint(buf, m.hour/hour)
	buf = binary.AppendUvarint(buf, uint64(len(m.host)))
	buf = append(buf, m.host...)
	binary.LittleEndian.PutUint32(buf[start:], crc32.Checksum(buf[start+4:], castagnoli))
	return buf
}

// decodeMark reads one record and says how long it is; 0 if it is not whole.
func decodeMark(buf []byte) (op byte, m mark, n int) {
	if len(buf) < 7 {
		return 0, m, 0
	}
	h, hn := binary.Varint(buf[5:])
	if hn <= 0 {
		return 0, m, 0
	}
	length, ln := binary.Uvarint(buf[5+hn:])
	at := 5 + hn + ln
	if ln <= 0 || length > uint64(len(buf)-at) {
		return 0, m, 0
	}
	end := at + int(length)
	if binary.LittleEndian.Uint32(buf) != crc32.Checksum(buf[4:end], castagnoli) {
		return 0, m, 0
	}
	return buf[4], mark{host: string(buf[at:end]), hour: h * hour}, end
}

// write appends records; a record that did not fit is taken back.
func (l *markLog) write(buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	if _, err := l.file.WriteAt(buf, l.size); err != nil {
		return errors.Join(fmt.Errorf("mend.log: %w", err), l.file.Truncate(l.size))
	}
	l.size += int64(len(buf))
	return nil
}

// touch sets marks that are not set and notes that the others are still being
// written to.
func (l *markLog) touch(marks map[mark]struct{}, now int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buf []byte
	for m := range marks {
		if _, ok := l.open[m]; !ok {
			buf = encodeMark(buf, markSet, m)
		}
	}
	if err := l.write(buf); err != nil {
		return err
	}
	for m := range marks {
		l.open[m] = now
	}
	return nil
}

// take hands out the marks that were last set at or before quiet, to be mended.
// Each must come back by mended or failed.
func (l *markLog) take(quiet int64) (taken []mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m, at := range l.open {
		if _, busy := l.mending[m]; at <= quiet && !busy {
			delete(l.open, m)
			l.mending[m] = struct{}{}
			taken = append(taken, m)
		}
	}
	return taken
}

// mended notes that the tiers hold what raw held of the marks.
func (l *markLog) mended(marks []mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buf []byte
	for _, m := range marks {
		delete(l.mending, m)
		buf = encodeMark(buf, markMended, m)
	}
	if len(l.open) == 0 && len(l.mending) == 0 {
		if err := l.file.Truncate(0); err != nil {
			return err
		}
		l.size = 0
		return nil
	}
	return l.write(buf)
}

// failed puts marks back that could not be mended.
func (l *markLog) failed(marks []mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range marks {
		delete(l.mending, m)
		if _, ok := l.open[m]; !ok {
			l.open[m] = minTime
		}
	}
}

// snapshot is every hour that must be read from raw, host by host.
func (l *markLog) snapshot() map[string][]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	hours := map[string][]int64{}
	for m := range l.mending {
		hours[m.host] = append(hours[m.host], m.hour)
	}
	for m := range l.open {
		if _, busy := l.mending[m]; !busy {
			hours[m.host] = append(hours[m.host], m.hour)
		}
	}
	return hours
}

func (l *markLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open) + len(l.mending)
}

func (l *markLog) close() error { return l.file.Close() }
