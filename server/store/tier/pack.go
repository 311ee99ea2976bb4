package tier

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// How a column of floats is kept.
const (
	kindSame    = iota // one value
	kindDecimal        // whole numbers over a power of ten
	kindXOR            // what differs from the first, between two bit positions
	kindPlain          // eight bytes each
)

const (
	// padding is behind each block, so that eight bytes can be read at its last
	// value.
	padding = 8
	// widest is the most bits that a packed value may have: with up to seven
	// bits before it, it fits into eight bytes.
	widest = 57
	// mostDigits is how many decimals are tried.
	mostDigits = 6
)

var powers = [mostDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6}

// pack appends n values of width bits each, at most [widest].
func pack(buf []byte, n, width int, at func(int) uint64) []byte {
	var acc uint64
	var have int
	for i := range n {
		v := at(i)
		acc |= v << have
		have += width
		for have >= 8 {
			buf = append(buf, byte(acc))
			acc >>= 8
			have -= 8
		}
	}
	if have > 0 {
		buf = append(buf, byte(acc))
	}
	return buf
}

// unpack reads the value at place i.
func unpack(packed []byte, i, width int) uint64 {
	bit := i * width
	return binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & (1<<width - 1)
}

func encodeCounts(buf []byte, counts []uint32) []byte {
	low, high := counts[0], counts[0]
	for _, c := range counts {
		low, high = min(low, c), max(high, c)
	}
	width := bits.Len32(high - low)
	buf = binary.AppendUvarint(buf, uint64(low))
	buf = append(buf, byte(width))
	return pack(buf, len(counts), width, func(i int) uint64 { return uint64(counts[i] - low) })
}

func decodeCounts(r *reader, n, skip int, out []uint32) {
	low := uint32(r.uvarint())
	width := int(r.byte())
	if width > 32 {
		r.failed = true
	}
	packed := r.packed(n, width)
	if r.failed {
		return
	}
	if width == 0 {
		for i := range out {
			out[i] = low
		}
		return
	}
	for i := range out {
		out[i] = low + uint32(unpack(packed, skip+i, width))
	}
}

// encodeFloats appends a column in the kind that takes the least. Decimals may
// differ from the values by the tolerance, as a part of the value.
func encodeFloats(buf []byte, values []float64, tolerance float64) []byte {
	first := math.Float64bits(values[0])
	var differ uint64
	for _, v := range values {
		differ |= math.Float64bits(v) ^ first
	}
	if differ == 0 {
		buf = append(buf, kindSame)
		return binary.LittleEndian.AppendUint64(buf, first)
	}
	shift := bits.TrailingZeros64(differ)
	width := bits.Len64(differ) - shift
	if digits, low, w, ok := decimals(values, tolerance); ok && w <= min(width, widest) {
		buf = append(buf, kindDecimal, byte(digits), byte(w))
		buf = binary.AppendVarint(buf, low)
		p := powers[digits]
		return pack(buf, len(values), w, func(i int) uint64 { return uint64(int64(math.Round(values[i]*p)) - low) })
	}
	if width <= widest {
		buf = append(buf, kindXOR, byte(shift), byte(width))
		buf = binary.LittleEndian.AppendUint64(buf, first)
		return pack(buf, len(values), width, func(i int) uint64 { return (math.Float64bits(values[i]) ^ first) >> shift })
	}
	buf = append(buf, kindPlain)
	for _, v := range values {
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
	}
	return buf
}

// decimals finds the fewest digits after the point with which all values can be
// written, the least of them as a whole number, and the bits that they take
// above it.
func decimals(values []float64, tolerance float64) (digits int, low int64, width int, ok bool) {
	for digits, p := range powers {
		low, high := int64(math.MaxInt64), int64(math.MinInt64)
		ok := true
		for _, v := range values {
			w := math.Round(v * p)
			if math.Abs(w) >= 1<<52 || math.Abs(w/p-v) > tolerance*math.Abs(v) || w == 0 && math.Signbit(v) {
				ok = false
				break
			}
			low, high = min(low, int64(w)), max(high, int64(w))
		}
		if ok {
			return digits, low, bits.Len64(uint64(high - low)), true
		}
	}
	return 0, 0, 0, false
}

func decodeFloats(r *reader, n, skip int, out []float64) {
	switch r.byte() {
	case kindSame:
		v := r.float()
		for i := range out {
			out[i] = v
		}
	case kindDecimal:
		decodeDecimals(r, n, skip, out)
	case kindXOR:
		decodeXOR(r, n, skip, out)
	case kindPlain:
		packed := r.packed(n, 64)
		if r.failed {
			return
		}
		for i := range out {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(packed[(skip+i)*8:]))
		}
	default:
		r.failed = true
	}
}

func decodeDecimals(r *reader, n, skip int, out []float64) {
	digits, width := int(r.byte()), int(r.byte())
	low := r.varint()
	if digits > mostDigits || width > widest {
		r.failed = true
	}
	packed := r.packed(n, width)
	if r.failed {
		return
	}
	p := powers[digits]
	mask := uint64(1)<<width - 1
	bit := uint(skip * width)
	for i := range out {
		v := binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & mask
		out[i] = float64(low+int64(v)) / p
		bit += uint(width)
	}
}

func decodeXOR(r *reader, n, skip int, out []float64) {
	shift, width := int(r.byte()), int(r.byte())
	first := math.Float64bits(r.float())
	if width > widest || shift > 63 {
		r.failed = true
	}
	packed := r.packed(n, width)
	if r.failed {
		return
	}
	for i := range out {
		out[i] = math.Float64frombits(first ^ unpack(packed, skip+i, width)<<shift)
	}
}
