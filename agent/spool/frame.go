package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// The package comment describes the format.
const (
	formatVersion = 1

	segmentHeaderSize = 36
	stableHeaderSize  = 12 // what every version has in common
	frameHeaderSize   = 36

	// maxBody bounds a record and a preamble, so that a segment always fits
	// into memory.
	maxBody = 16 << 20

	kindRecord   = 'R'
	kindPreamble = 'P'
)

var (
	segmentMagic = [6]byte{'v', 's', 'p', 'o', 'o', 'l'}
	frameMarker  = [3]byte{0xc5, 0xf7, 0x9d}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// checksum is the CRC-32C of b, begun with salt.
func checksum(salt uint32, b []byte) uint32 { return crc32.Update(salt, castagnoli, b) }

// segmentHeader is what a segment starts with.
type segmentHeader struct {
	salt uint32
	base Position
	time int64
}

// headerState is what parseSegmentHeader found.
type headerState uint8

const (
	headerDamaged headerState = iota
	headerGood
	headerNewer // of a format version that this program does not know
)

func appendSegmentHeader(dst []byte, h segmentHeader) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic[:]...)
	dst = append(dst, formatVersion, 0)
	dst = binary.LittleEndian.AppendUint32(dst, checksum(0, dst[start:]))
	dst = binary.LittleEndian.AppendUint32(dst, h.salt)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.base))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.time))
	return binary.LittleEndian.AppendUint32(dst, checksum(0, dst[start:]))
}

// parseSegmentHeader reads the header at the start of b, which may be short.
func parseSegmentHeader(b []byte) (segmentHeader, headerState) {
	if len(b) < stableHeaderSize || !bytes.Equal(b[:6], segmentMagic[:]) ||
		binary.LittleEndian.Uint32(b[8:]) != checksum(0, b[:8]) {
		return segmentHeader{}, headerDamaged
	}
	if b[6] > formatVersion {
		return segmentHeader{}, headerNewer
	}
	if len(b) < segmentHeaderSize || binary.LittleEndian.Uint32(b[32:]) != checksum(0, b[:32]) {
		return segmentHeader{}, headerDamaged
	}
	return segmentHeader{
		salt: binary.LittleEndian.Uint32(b[12:]),
		base: Position(binary.LittleEndian.Uint64(b[16:])),
		time: int64(binary.LittleEndian.Uint64(b[24:])),
	}, headerGood
}

// frameHeader is what each frame starts with.
type frameHeader struct {
	kind        byte
	length      uint32
	position    Position
	time        int64
	preambleSum uint32
	bodySum     uint32
}

// size is that of the whole frame.
func (h frameHeader) size() int64 { return frameHeaderSize + int64(h.length) }

// appendFrame encodes a frame; it sets h's length and bodySum by body.
func appendFrame(dst []byte, salt uint32, h frameHeader, body []byte) []byte {
	start := len(dst)
	dst = append(dst, frameMarker[:]...)
	dst = append(dst, h.kind)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.position))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.time))
	dst = binary.LittleEndian.AppendUint32(dst, h.preambleSum)
	dst = binary.LittleEndian.AppendUint32(dst, checksum(salt, body))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(salt, dst[start:]))
	return append(dst, body...)
}

// parseFrameHeader reads the header at the start of b. Its result can be relied
// on when ok is true; of the body that means nothing yet.
func parseFrameHeader(b []byte, salt uint32) (h frameHeader, ok bool) {
	if len(b) < frameHeaderSize || !bytes.Equal(b[:3], frameMarker[:]) ||
		binary.LittleEndian.Uint32(b[32:]) != checksum(salt, b[:32]) {
		return frameHeader{}, false
	}
	h = frameHeader{
		kind:        b[3],
		length:      binary.LittleEndian.Uint32(b[4:]),
		position:    Position(binary.LittleEndian.Uint64(b[8:])),
		time:        int64(binary.LittleEndian.Uint64(b[16:])),
		preambleSum: binary.LittleEndian.Uint32(b[24:]),
		bodySum:     binary.LittleEndian.Uint32(b[28:]),
	}
	return h, h.length <= maxBody
}

// findFrame returns the offset of the first good frame header in b, or -1.
func findFrame(b []byte, salt uint32) int {
	for off := 0; ; off++ {
		i := bytes.Index(b[off:], frameMarker[:])
		if i < 0 {
			return -1
		}
		off += i
		if _, ok := parseFrameHeader(b[off:], salt); ok {
			return off
		}
	}
}
