package tier

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/vitals-rpc/vitals/durable"
)

// Writer writes the buckets of a stretch of time. Until Finish nothing of it is
// seen; after Finish all of it is, and survives a crash.
type Writer struct {
	tier   *Tier
	name   name
	base   int64
	file   *os.File
	out    *bufio.Writer
	offset uint64
	items  []item
	buf    []byte
	// Buckets is how many were added.
	Buckets int
}

type item struct {
	id     ID
	length uint32
	offset uint64
}

// Writer begins a segment for [from, to), in milliseconds: multiples of the
// bucket's width within one partition. End it by Finish or Abort.
func (t *Tier) Writer(from, to int64) (*Writer, error) { return t.writer(from, to, 0) }

func (t *Tier) writer(from, to int64, level int) (*Writer, error) {
	width := t.resolution.Partition()
	if from >= to || floor(from, width) != floor(to-1, width) {
		return nil, fmt.Errorf("tier: %d to %d is not within one partition", from, to)
	}
	t.mu.Lock()
	t.serial++
	n := name{from: from, to: to, level: level, serial: t.serial}
	t.mu.Unlock()
	file, err := os.OpenFile(filepath.Join(t.dir, n.String()+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{tier: t, name: n, base: floor(from, width), file: file, out: bufio.NewWriterSize(file, 1<<16)}
	w.write([]byte(magic))
	return w, nil
}

// write hands bytes to the buffer, which keeps its first error until Finish.
func (w *Writer) write(b []byte) {
	n, _ := w.out.Write(b)
	w.offset += uint64(n)
}

// Add writes the buckets of one series, in the order of time and within the
// writer's stretch. Each series comes once.
func (w *Writer) Add(id ID, c *Columns) {
	if c.Len() == 0 {
		return
	}
	w.Buckets += c.Len()
	w.buf = c.encode(append(w.buf[:0], 0, 0, 0, 0), w.base, w.tier.resolution.Step())
	binary.LittleEndian.PutUint32(w.buf, crc32.Checksum(w.buf[4:], castagnoli))
	w.items = append(w.items, item{id: id, length: uint32(len(w.buf)), offset: w.offset})
	w.write(w.buf)
}

// Finish makes what was added durable, then visible. A writer to which nothing
// was added leaves no file, but the tier's end moves all the same.
func (w *Writer) Finish() error { return w.finish(nil) }

func (w *Writer) finish(replaced []*segment) error {
	if len(w.items) == 0 {
		w.tier.Pass(w.name.to)
		return w.Abort()
	}
	w.index()
	if err := errors.Join(w.out.Flush(), w.file.Sync()); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.file.Close(); err != nil {
		return errors.Join(err, os.Remove(w.file.Name()))
	}
	path := filepath.Join(w.tier.dir, w.name.String())
	if err := os.Rename(w.file.Name(), path); err != nil {
		return errors.Join(err, os.Remove(w.file.Name()))
	}
	if err := durable.SyncDir(w.tier.dir); err != nil {
		return err
	}
	s, err := openSegment(path, w.name, w.tier.resolution)
	if err != nil {
		return err
	}
	w.tier.publish(s, replaced)
	return nil
}

func (w *Writer) index() {
	slices.SortFunc(w.items, func(a, b item) int { return cmp.Compare(int64(a.id), int64(b.id)) })
	start := w.offset
	sum := crc32.New(castagnoli)
	for _, it := range w.items {
		var b [indexItem]byte
		binary.LittleEndian.PutUint32(b[:], uint32(it.id))
		binary.LittleEndian.PutUint32(b[4:], it.length)
		binary.LittleEndian.PutUint64(b[8:], it.offset)
		sum.Write(b[:])
		w.write(b[:])
	}
	foot := binary.LittleEndian.AppendUint32(nil, uint32(len(w.items)))
	foot = binary.LittleEndian.AppendUint64(foot, start)
	foot = binary.LittleEndian.AppendUint32(foot, sum.Sum32())
	w.write(append(foot, magic...))
}

// Abort gives up what was added.
func (w *Writer) Abort() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}
