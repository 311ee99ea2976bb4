package procfs

import (
	"bytes"
	"errors"
)

// CPUTicks is the time spent in each mode since the start, in clock ticks of
// 1/[UserHZ] second. The kernel counts guest time within User and Nice too, so
// it is not repeated here.
type CPUTicks struct {
	User, Nice, System, Idle, IOWait, IRQ, SoftIRQ, Steal uint64
}

// UserHZ is the number of clock ticks a second in /proc, the same on every
// architecture that Go runs on.
const UserHZ = 100

// CoreTicks is the time of one core.
type CoreTicks struct {
	ID    int
	Ticks CPUTicks
}

// Stat is what /proc/stat says of the processors.
type Stat struct {
	Total CPUTicks
	// Cores lists the cores that are online, by rising ID; IDs may have gaps.
	Cores []CoreTicks
}

// ParseStat reads /proc/stat into st, whose slice it reuses.
func ParseStat(text []byte, st *Stat) error {
	st.Cores = st.Cores[:0]
	found := false
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		name, rest := cutField(line)
		id, isCPU := bytes.CutPrefix(name, []byte("cpu"))
		if !isCPU {
			break // the processors come first
		}
		ticks, ok := parseTicks(rest)
		if !ok {
			return errors.New("/proc/stat: a cpu line without its numbers")
		}
		if len(id) == 0 {
			st.Total, found = ticks, true
			continue
		}
		n, ok := parseUint(id)
		if !ok || n > 1<<20 {
			return errors.New("/proc/stat: a cpu line without its core number")
		}
		st.Cores = append(st.Cores, CoreTicks{int(n), ticks})
	}
	if !found {
		return errors.New("/proc/stat: no cpu line")
	}
	return nil
}

// parseTicks reads the columns of a cpu line. Old kernels have fewer.
func parseTicks(columns []byte) (CPUTicks, bool) {
	var n [8]uint64
	if uints(columns, n[:]) < 4 {
		return CPUTicks{}, false
	}
	return CPUTicks{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]}, true
}
