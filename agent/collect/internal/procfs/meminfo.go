package procfs

import (
	"bytes"
	"errors"
)

// Meminfo is a part of /proc/meminfo, in bytes.
type Meminfo struct {
	Total, Free, Available, Buffers, Cached, Reclaimable, SwapTotal, SwapFree uint64
}

// ParseMeminfo reads /proc/meminfo. Kernels before 3.14 do not say what is
// available; there it is what is free or cache.
func ParseMeminfo(text []byte) (Meminfo, error) {
	var m Meminfo
	available := false
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		name, rest, found := bytes.Cut(line, []byte{':'})
		if !found {
			continue
		}
		var dst *uint64
		switch string(name) {
		case "MemTotal":
			dst = &m.Total
		case "MemFree":
			dst = &m.Free
		case "MemAvailable":
			dst, available = &m.Available, true
		case "Buffers":
			dst = &m.Buffers
		case "Cached":
			dst = &m.Cached
		case "SReclaimable":
			dst = &m.Reclaimable
		case "SwapTotal":
			dst = &m.SwapTotal
		case "SwapFree":
			dst = &m.SwapFree
		default:
			continue
		}
		field, _ := cutField(rest)
		kilobytes, ok := parseUint(field)
		if !ok || kilobytes > 1<<53 {
			return Meminfo{}, errors.New("/proc/meminfo: a line without its number: " + string(line))
		}
		*dst = kilobytes * 1024
	}
	if m.Total == 0 {
		return Meminfo{}, errors.New("/proc/meminfo: no MemTotal")
	}
	if !available {
		m.Available = min(m.Total, m.Free+m.Buffers+m.Cached)
	}
	return m, nil
}
