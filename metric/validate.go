package metric

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on what a series may be called. They keep one careless sender from
// filling the memory of all.
const (
	// MaxNameBytes bounds a metric type's and a label's name.
	MaxNameBytes = 128
	// MaxLabelValueBytes bounds a label's value.
	MaxLabelValueBytes = 512
	// MaxLabels bounds the labels of a series, beside type and host.
	MaxLabels = 24
	// MaxHostBytes bounds a host's name, as DNS does.
	MaxHostBytes = 253
)

// reservedPrefix begins the names that are Prometheus' own.
const reservedPrefix = "__"

// ErrNotFinite refuses a value that is NaN or infinite.
var ErrNotFinite = errors.New("the value is not a finite number; leave such samples out")

// CheckValue returns an error unless the value may be stored.
func CheckValue(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ErrNotFinite
	}
	return nil
}

// CheckHost returns an error unless name may be a host's name.
func CheckHost(name string) error {
	switch {
	case name == "":
		return errors.New("the host name is empty")
	case len(name) > MaxHostBytes:
		return fmt.Errorf("the host name is longer than %d bytes", MaxHostBytes)
	case !printable(name):
		return fmt.Errorf("the host name %q has bytes that are no printable UTF-8", name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("the host name %q begins or ends with a space", name)
	}
	return nil
}

// Check returns an error unless all of the series' names and values may be
// stored, saying which may not.
func (s *Series) Check() error {
	if err := CheckHost(s.Host); err != nil {
		return err
	}
	if err := checkName("metric type", s.Type, true); err != nil {
		return err
	}
	if strings.HasPrefix(s.Type, reservedPrefix) {
		return fmt.Errorf("metric type %q is reserved, as all that begin with %s; choose another", s.Type, reservedPrefix)
	}
	if len(s.Labels) > MaxLabels {
		return fmt.Errorf("the series has %d labels; at most %d are kept", len(s.Labels), MaxLabels)
	}
	for _, l := range s.Labels {
		if err := checkLabel(l); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(l Label) error {
	if err := checkName("label name", l.Name, false); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(l.Name, reservedPrefix), l.Name == HostLabel:
		return fmt.Errorf("label name %q is reserved; choose another", l.Name)
	case len(l.Value) > MaxLabelValueBytes:
		return fmt.Errorf("the value of label %q is longer than %d bytes", l.Name, MaxLabelValueBytes)
	case !utf8.ValidString(l.Value):
		return fmt.Errorf("the value of label %q is not UTF-8", l.Name)
	}
	return nil
}

func checkName(what, name string, colons bool) error {
	if name == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("the %s is longer than %d bytes", what, MaxNameBytes)
	}
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':' && colons, c >= '0' && c <= '9' && i > 0:
		default:
			return fmt.Errorf("the %s %q may have letters, digits and _ only, and no digit first; try %q", what, name, plainName(name))
		}
	}
	return nil
}

// plainName is the nearest valid name.
func plainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, name)
	if plain[0] >= '0' && plain[0] <= '9' {
		plain = "_" + plain
	}
	return plain
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
