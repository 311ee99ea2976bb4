// Package procfs parses the texts of Linux's /proc. Its functions take bytes
// and give values: they open nothing, keep nothing of the text and allocate
// only to grow the slices that the caller hands in again and again. They
// compile and are tested on every system.
package procfs

import (
	"bytes"
	"math"
)

// cutLine splits off the first line, without its newline.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return line, rest
}

// cutField splits off the first word of a line: what stands between blanks.
func cutField(line []byte) (field, rest []byte) {
	start := 0
	for start < len(line) && isBlank(line[start]) {
		start++
	}
	end := start
	for end < len(line) && !isBlank(line[end]) {
		end++
	}
	return line[start:end], line[end:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

// parseUint reads a whole decimal number.
func parseUint(field []byte) (uint64, bool) {
	if len(field) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range field {
		digit := uint64(c - '0')
		if c < '0' || c > '9' || n > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// parseFixed reads a number such as 12.34, which is how /proc writes
// fractions; it has no exponent and no sign.
func parseFixed(field []byte) (float64, bool) {
	whole, fraction, _ := bytes.Cut(field, []byte{'.'})
	n, ok := parseUint(whole)
	if !ok {
		return 0, false
	}
	if len(fraction) == 0 {
		return float64(n), true
	}
	f, ok := parseUint(fraction)
	if !ok || len(fraction) > 6 || n > 1<<32 {
		return 0, false
	}
	// One division of whole numbers, so that 1.89 is the same as the literal.
	scale := math.Pow10(len(fraction))
	return (float64(n)*scale + float64(f)) / scale, true
}

// uints reads up to len(out) numbers from a line and returns how many there
// were; it stops at the first word that is none.
func uints(line []byte, out []uint64) int {
	for i := range out {
		var field []byte
		field, line = cutField(line)
		n, ok := parseUint(field)
		if !ok {
			return i
		}
		out[i] = n
	}
	return len(out)
}
