package metric

import (
	"slices"
	"strings"
)

// Match chooses names: all of them (the zero value), those of a list, or those
// with a prefix. A name that meets Names or Prefixes is chosen.
type Match struct {
	// Names are chosen as they stand.
	Names []string
	// Prefixes choose every name that begins with one of them.
	Prefixes []string
}

// All reports whether m chooses every name.
func (m Match) All() bool { return len(m.Names) == 0 && len(m.Prefixes) == 0 }

// Matches reports whether m chooses name.
func (m Match) Matches(name string) bool {
	if m.All() || slices.Contains(m.Names, name) {
		return true
	}
	return slices.ContainsFunc(m.Prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Selector chooses series by host and metric type. The zero value chooses all.
type Selector struct {
	Hosts, Types Match
}

// Exactly chooses one metric type on one host.
func Exactly(host, metricType string) Selector {
	return Selector{Hosts: Match{Names: []string{host}}, Types: Match{Names: []string{metricType}}}
}

// Matches reports whether the selector chooses the series.
func (sel Selector) Matches(s *Series) bool {
	return sel.Types.Matches(s.Type) && sel.Hosts.Matches(s.Host)
}

// Selectors chooses what any of them chooses; none at all choose everything.
type Selectors []Selector

// Matches reports whether a selector chooses the series.
func (sels Selectors) Matches(s *Series) bool {
	return len(sels) == 0 || slices.ContainsFunc(sels, func(sel Selector) bool { return sel.Matches(s) })
}

// MatchesHost reports whether series of the host may be chosen.
func (sels Selectors) MatchesHost(host string) bool {
	return len(sels) == 0 || slices.ContainsFunc(sels, func(sel Selector) bool { return sel.Hosts.Matches(host) })
}
