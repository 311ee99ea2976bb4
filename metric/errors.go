package metric

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// UnknownHostError says that no such host has reported, and names those whose
// names are nearest.
type UnknownHostError struct {
	Host string
	// Known are the hosts that there are.
	Known []string
}

func (e *UnknownHostError) Error() string {
	return fmt.Sprintf("host %q is not known; %s", shorten(e.Host), suggest(e.Host, e.Known, "no host has reported yet"))
}

// UnknownTypeError says that a host has no metric of that type, and names the
// types it has whose names are nearest.
type UnknownTypeError struct {
	Type, Host string
	// Known are the types that the host has.
	Known []string
}

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("metric type %q is not known on host %q; %s", shorten(e.Type), shorten(e.Host), suggest(e.Type, e.Known, "it has reported none yet"))
}

// NoSampleError says that a host is known and has sent no sample of the type
// since the server started.
type NoSampleError struct {
	Type, Host string
}

func (e *NoSampleError) Error() string {
	return fmt.Sprintf("host %q has sent no sample of %q since the server started; try again in a second, or query its history", e.Host, e.Type)
}

// AmbiguousTypeError says that a host has several series of the type, so that
// there is no one newest sample of it.
type AmbiguousTypeError struct {
	Type, Host string
	// Series are the candidates.
	Series []*Series
}

func (e *AmbiguousTypeError) Error() string {
	return fmt.Sprintf("metric type %q has %d series on host %q (%s, ...): this call answers with one number, so ask for a type without further labels",
		e.Type, len(e.Series), e.Host, e.Series[0])
}

// longestName is how much of a name that is not known an error repeats, and looks
// for near ones of, in bytes: more than any known one has. Callers may send
// megabytes, and the search takes time by the product of both lengths.
const longestName = 256

func shorten(name string) string {
	if len(name) <= longestName {
		return name
	}
	return strings.ToValidUTF8(name[:longestName], "") + "..."
}

// suggestions is how many near names an error names.
const suggestions = 3

func suggest(name string, known []string, none string) string {
	if len(known) == 0 {
		return none
	}
	near := Nearest(name, known, suggestions)
	return "nearest: " + strings.Join(near, ", ")
}

// Nearest returns the at most n names that take the fewest edits to become name,
// nearest first. Of a name longer than any may be, the beginning counts.
func Nearest(name string, known []string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	candidates := make([]candidate, 0, len(known))
	lower := strings.ToLower(shorten(name))
	for _, k := range known {
		candidates = append(candidates, candidate{k, levenshtein.ComputeDistance(lower, strings.ToLower(k))})
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range candidates[:min(n, len(candidates))] {
		names = append(names, c.name)
	}
	return names
}
