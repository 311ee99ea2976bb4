package procfs

import "errors"

// ParseLoadavg reads the averages over 1, 5 and 15 minutes of /proc/loadavg.
func ParseLoadavg(text []byte) (averages [3]float64, err error) {
	line, _ := cutLine(text)
	for i := range averages {
		var field []byte
		field, line = cutField(line)
		value, ok := parseFixed(field)
		if !ok {
			return [3]float64{}, errors.New("/proc/loadavg: fewer than three numbers")
		}
		averages[i] = value
	}
	return averages, nil
}
