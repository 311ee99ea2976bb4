package procfs

import (
	"bytes"
	"errors"
)

// Pressure is a file of /proc/pressure: the percentage of the last ten seconds
// in which some, or all, tasks waited for the resource.
type Pressure struct {
	Some, Full float64
	// HasFull is false where the kernel does not say Full (cpu before 5.13).
	HasFull bool
}

// ParsePressure reads a file of /proc/pressure.
func ParsePressure(text []byte) (Pressure, error) {
	var p Pressure
	hasSome := false
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		kind, rest := cutField(line)
		field, _ := cutField(rest)
		number, isAverage := bytes.CutPrefix(field, []byte("avg10="))
		value, ok := parseFixed(number)
		if !isAverage || !ok {
			return Pressure{}, errors.New("/proc/pressure: a line without avg10")
		}
		switch string(kind) {
		case "some":
			p.Some, hasSome = value, true
		case "full":
			p.Full, p.HasFull = value, true
		}
	}
	if !hasSome {
		return Pressure{}, errors.New("/proc/pressure: no line some")
	}
	return p, nil
}
