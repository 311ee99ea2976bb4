package tier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"sort"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// A segment file is
//
//	magic, 8 bytes
//	blocks, each the CRC-32C of the rest, 4 bytes, and the columns of one series
//	index: for each series, by number: number 4, length 4 and offset 8 bytes
//	foot: number of series 4, start of the index 8, CRC-32C of the index 4, magic 8
//
// all in little-endian.
const (
	magic     = "vitals\x01T"
	indexItem = 16
	footSize  = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is a file of buckets, mapped into memory.
type segment struct {
	name
	path  string
	base  int64 // start of the partition, from which buckets are counted
	step  int64
	file  *fileutil.MmapFile
	data  []byte
	index []byte
	count int

	// Guarded by the tier's lock: who reads it, whether it is replaced, and whether
	// it is known to be damaged.
	readers int
	dead    bool
	told    bool
}

func openSegment(path string, n name, resolution Resolution) (*segment, error) {
	file, err := fileutil.OpenMmapFile(path)
	if err != nil {
		// An empty file cannot be mapped.
		return nil, fmt.Errorf("%w: %s: %w", errDamaged, filepath.Base(path), err)
	}
	s := &segment{
		name: n, path: path, file: file, data: file.Bytes(),
		base: floor(n.from, resolution.Partition()), step: resolution.Step(),
	}
	if err := s.readFoot(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *segment) readFoot() error {
	size := len(s.data)
	if size < len(magic)+footSize || string(s.data[:8]) != magic || string(s.data[size-8:]) != magic {
		return fmt.Errorf("%w: %s is cut short or is another kind of file", errDamaged, filepath.Base(s.path))
	}
	foot := s.data[size-footSize:]
	s.count = int(binary.LittleEndian.Uint32(foot))
	start := binary.LittleEndian.Uint64(foot[4:])
	end := uint64(size - footSize)
	if start > end || end-start != uint64(s.count)*indexItem {
		return fmt.Errorf("%w: the index of %s does not fit", errDamaged, filepath.Base(s.path))
	}
	s.index = s.data[start:end]
	if crc32.Checksum(s.index, castagnoli) != binary.LittleEndian.Uint32(foot[12:]) {
		return fmt.Errorf("%w: the index of %s", errDamaged, filepath.Base(s.path))
	}
	return nil
}

// id is the number of the i-th series.
func (s *segment) id(i int) ID {
	return ID(binary.LittleEndian.Uint32(s.index[i*indexItem:]))
}

// block returns the checked block of a series, or nil if it has none here.
func (s *segment) block(id ID) ([]byte, error) {
	i := sort.Search(s.count, func(i int) bool { return s.id(i) >= id })
	if i == s.count || s.id(i) != id {
		return nil, nil
	}
	item := s.index[i*indexItem:]
	length := uint64(binary.LittleEndian.Uint32(item[4:]))
	offset := binary.LittleEndian.Uint64(item[8:])
	if length < 4+padding || offset+length > uint64(len(s.data)) {
		return nil, fmt.Errorf("%w: series %d of %s", errDamaged, id, s.path)
	}
	block := s.data[offset : offset+length]
	if crc32.Checksum(block[4:], castagnoli) != binary.LittleEndian.Uint32(block) {
		return nil, fmt.Errorf("%w: series %d of %s", errDamaged, id, s.path)
	}
	return block[4:], nil
}

// read appends the series' buckets that start in [from, to). After an error some of
// them may have been.
func (s *segment) read(id ID, from, to int64, out *Columns) error {
	block, err := s.block(id)
	if err != nil || block == nil {
		return err
	}
	return out.decode(block, s.base, s.step, from, to)
}
