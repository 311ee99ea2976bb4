package store

// Lengths in milliseconds.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
)

// floor rounds t down to a multiple of step, also before 1970.
func floor(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	return t - r
}

// ceil rounds t up to a multiple of step.
func ceil(t, step int64) int64 {
	if f := floor(t, step); f != t {
		return f + step
	}
	return t
}
