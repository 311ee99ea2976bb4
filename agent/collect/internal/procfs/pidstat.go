package procfs

import (
	"bytes"
	"errors"
)

// PIDStat is a part of /proc/PID/stat.
type PIDStat struct {
	// Name is the command's name, cut by the kernel to 15 bytes; it may hold
	// any byte. It lies within the text that was parsed.
	Name []byte
	// Kernel is whether it is a thread of the kernel.
	Kernel bool
	// Ticks is the processor time it took, in ticks of 1/[UserHZ] second.
	Ticks uint64
	// Start is when it started, in ticks since the system did: with the PID it
	// tells a process from a later one with the same PID.
	Start uint64
	// ResidentPages is its memory, in pages.
	ResidentPages uint64
}

// kernelThread is PF_KTHREAD in a process's flags.
const kernelThread = 0x00200000

// ParsePIDStat reads /proc/PID/stat.
func ParsePIDStat(text []byte) (PIDStat, error) {
	// The name stands in brackets and may have brackets, blanks and newlines
	// itself, so it ends at the last bracket.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return PIDStat{}, errors.New("/proc/PID/stat: no name in brackets")
	}
	p := PIDStat{Name: text[open+1 : end]}
	rest := text[end+1:]
	// Fields are counted from 1 in proc(5): after the name come 3 (state) to 24
	// (resident pages). Some in between may be negative.
	for field := 3; field <= 24; field++ {
		var word []byte
		word, rest = cutField(rest)
		if len(word) == 0 {
			return PIDStat{}, errors.New("/proc/PID/stat: fewer fields than 24")
		}
		var n uint64
		var ok bool
		switch field {
		case 9, 14, 15, 22, 24:
			if n, ok = parseUint(word); !ok {
				return PIDStat{}, errors.New("/proc/PID/stat: not a number: " + string(word))
			}
		}
		switch field {
		case 9:
			p.Kernel = n&kernelThread != 0
		case 14, 15:
			p.Ticks += n
		case 22:
			p.Start = n
		case 24:
			p.ResidentPages = n
		}
	}
	return p, nil
}

// ParseStatm reads the resident pages of /proc/PID/statm.
func ParseStatm(text []byte) (residentPages uint64, err error) {
	var n [2]uint64
	if uints(text, n[:]) < 2 {
		return 0, errors.New("/proc/PID/statm: fewer fields than 2")
	}
	return n[1], nil
}
