package tier

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/vitals-rpc/vitals/durable"
	"github.com/vitals-rpc/vitals/metric"
)

// ID is the number that stands for a series in the tiers. It is never given
// twice.
type ID uint32

// Entry is a series that the tiers know.
type Entry struct {
	ID     ID
	Labels labels.Labels
}

// Catalog gives numbers to series and finds series by their labels. It is a
// file that is appended to, and in memory whole. It may be used by many
// goroutines.
type Catalog struct {
	path string
	mu   sync.RWMutex
	file *os.File
	size int64
	next ID
	new  []byte // entries that are not in the file yet

	byHash  map[uint64][]*Entry
	byType  map[string][]*Entry
	byHost  map[string][]*Entry
	entries map[ID]*Entry
	host    string // the name of the host label
}

// OpenCatalog opens the catalog in the file at path and makes it if there is
// none. HostLabel is the label by which, beside the metric's name, series are
// found quickly.
func OpenCatalog(path, hostLabel string) (*Catalog, error) {
	c := &Catalog{path: path, host: hostLabel}
	c.clear()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	c.file = file
	text, err := io.ReadAll(bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	for {
		e, n := decodeEntry(text[c.size:])
		if n == 0 {
			break
		}
		c.size += int64(n)
		c.next = max(c.next, e.ID+1)
		if !e.Labels.IsEmpty() {
			c.insert(e)
		}
	}
	if c.size < int64(len(text)) {
		// Only an entry that was being written when the power went can be cut
		// short, and no segment refers to it.
		if err := file.Truncate(c.size); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return c, nil
}

func (c *Catalog) clear() {
	c.byHash, c.byType, c.byHost = map[uint64][]*Entry{}, map[string][]*Entry{}, map[string][]*Entry{}
	c.entries = map[ID]*Entry{}
}

func (c *Catalog) insert(e *Entry) {
	h := e.Labels.Hash()
	c.byHash[h] = append(c.byHash[h], e)
	typ, host := e.Labels.Get(metric.TypeLabel), e.Labels.Get(c.host)
	c.byType[typ] = append(c.byType[typ], e)
	c.byHost[host] = append(c.byHost[host], e)
	c.entries[e.ID] = e
}

// find returns the entry of these labels, or nil.
func (c *Catalog) find(ls labels.Labels) *Entry {
	for _, e := range c.byHash[ls.Hash()] {
		if labels.Equal(e.Labels, ls) {
			return e
		}
	}
	return nil
}

// ID returns the number of a series and gives it one if it has none. Flush must
// follow before the number is used in a file.
func (c *Catalog) ID(ls labels.Labels) ID {
	c.mu.RLock()
	e := c.find(ls)
	c.mu.RUnlock()
	if e != nil {
		return e.ID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(ls); e != nil {
		return e.ID
	}
	e = &Entry{ID: c.next, Labels: ls.Copy()}
	c.next++
	c.insert(e)
	c.new = encodeEntry(c.new, e)
	return e.ID
}

// Find returns the number of a series, if it has one.
func (c *Catalog) Find(ls labels.Labels) (ID, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.find(ls); e != nil {
		return e.ID, true
	}
	return 0, false
}

// Flush makes the numbers given so far durable.
func (c *Catalog) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.new) == 0 {
		return nil
	}
	if _, err := c.file.WriteAt(c.new, c.size); err != nil {
		return err
	}
	if err := c.file.Sync(); err != nil {
		return err
	}
	c.size += int64(len(c.new))
	c.new = nil
	return nil
}

// Len is the number of series.
func (c *Catalog) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

// Match returns the series that all matchers accept, in no order. The entries
// are not to be changed.
func (c *Catalog) Match(matchers ...*labels.Matcher) (found []*Entry) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	accept := func(e *Entry) {
		for _, m := range matchers {
			if !m.Matches(e.Labels.Get(m.Name)) {
				return
			}
		}
		found = append(found, e)
	}
	if few, ok := c.candidates(matchers); ok {
		for _, e := range few {
			accept(e)
		}
		return found
	}
	for _, e := range c.entries {
		accept(e)
	}
	return found
}

// candidates is the shortest list that must hold all that match.
func (c *Catalog) candidates(matchers []*labels.Matcher) (few []*Entry, ok bool) {
	for _, m := range matchers {
		var list []*Entry
		switch {
		case m.Type != labels.MatchEqual || m.Value == "":
			continue
		case m.Name == metric.TypeLabel:
			list = c.byType[m.Value]
		case m.Name == c.host:
			list = c.byHost[m.Value]
		default:
			continue
		}
		if !ok || len(list) < len(few) {
			few, ok = list, true
		}
	}
	return few, ok
}

// Retain forgets the series that are not in live, if they are more than a
// quarter of all.
func (c *Catalog) Retain(live map[ID]struct{}) (forgotten int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.entries {
		if _, ok := live[id]; !ok {
			forgotten++
		}
	}
	if forgotten*4 <= len(c.entries) {
		return 0, nil
	}
	// An entry without labels keeps the numbers from being given again.
	buf := encodeEntry(nil, &Entry{ID: c.next - 1})
	var kept []*Entry
	for id, e := range c.entries {
		if _, ok := live[id]; ok {
			kept = append(kept, e)
			buf = encodeEntry(buf, e)
		}
	}
	if err := c.rewrite(buf); err != nil {
		return 0, err
	}
	c.clear()
	for _, e := range kept {
		c.insert(e)
	}
	return forgotten, nil
}

// rewrite puts a new file in the place of the old, and keeps it open to append to,
// which is why it is not durable.WriteFile's.
func (c *Catalog) rewrite(buf []byte) error {
	file, err := os.OpenFile(c.path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(buf); err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), c.path); err != nil {
		return errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	err = errors.Join(c.file.Close(), durable.SyncDir(filepath.Dir(c.path)))
	c.file, c.size, c.new = file, int64(len(buf)), nil
	return err
}

// Close closes the file.
func (c *Catalog) Close() error {
	if err := c.Flush(); err != nil {
		return errors.Join(fmt.Errorf("series.log: %w", err), c.file.Close())
	}
	return c.file.Close()
}

// An entry in the file is the CRC-32C of the rest, its length, the number and
// the labels as strings with their lengths before them.
func encodeEntry(buf []byte, e *Entry) []byte {
	start := len(buf)
	buf = append(buf, make([]byte, 8)...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(e.ID))
	e.Labels.Range(func(l labels.Label) {
		for _, s := range []string{l.Name, l.Value} {
			buf = binary.AppendUvarint(buf, uint64(len(s)))
			buf = append(buf, s...)
		}
	})
	binary.LittleEndian.PutUint32(buf[start+4:], uint32(len(buf)-start-8))
	binary.LittleEndian.PutUint32(buf[start:], crc32.Checksum(buf[start+4:], castagnoli))
	return buf
}

// decodeEntry reads one entry and says how long it is; 0 if it is not whole.
func decodeEntry(buf []byte) (*Entry, int) {
	if len(buf) < 12 {
		return nil, 0
	}
	length := uint64(binary.LittleEndian.Uint32(buf[4:]))
	if length < 4 || length > uint64(len(buf)-8) {
		return nil, 0
	}
	body := buf[8 : 8+length]
	if crc32.Checksum(buf[4:8+length], castagnoli) != binary.LittleEndian.Uint32(buf) {
		return nil, 0
	}
	e := &Entry{ID: ID(binary.LittleEndian.Uint32(body))}
	var words []string
	for r := body[4:]; len(r) > 0; {
		n, w := binary.Uvarint(r)
		if w <= 0 || n > uint64(len(r)-w) {
			return nil, 0
		}
		words = append(words, string(r[w:w+int(n)]))
		r = r[w+int(n):]
	}
	if len(words)%2 != 0 {
		return nil, 0
	}
	e.Labels = labels.FromStrings(words...)
	return e, 8 + int(length)
}
