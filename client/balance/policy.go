package balance

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Policy says which of the servers that are well gets a call.
type Policy string

// The policies. Where SRV records give weights, all but First keep to them.
const (
	// First takes the first server that is well, in the order given, so that
	// everyone with the same list uses the same one and the others are spare. It
	// is the default.
	First Policy = "first"
	// RoundRobin takes one after the other.
	RoundRobin Policy = "round-robin"
	// Random takes any.
	Random Policy = "random"
	// LeastLoaded looks at two at random and takes the one with less to do, by the
	// calls in flight and how long it took to answer lately. It keeps away from a
	// server that has become slow without all callers turning to one other.
	LeastLoaded Policy = "least-loaded"
)

// Policies are all that there are.
func Policies() []string {
	return []string{string(First), string(RoundRobin), string(Random), string(LeastLoaded)}
}

// ParsePolicy returns the policy of that name.
func ParsePolicy(name string) (Policy, error) {
	switch p := Policy(name); p {
	case First, RoundRobin, Random, LeastLoaded:
		return p, nil
	}
	return "", fmt.Errorf("policy %q is none of %s", name, strings.Join(Policies(), ", "))
}

// choose picks one of the candidates, of which there is at least one, in the order
// in which they were given. The balancer's lock is held.
func (p Policy) choose(candidates []*endpoint) *endpoint {
	if len(candidates) == 1 {
		return candidates[0]
	}
	switch p {
	case RoundRobin:
		return roundRobin(candidates)
	case Random:
		return weighted(candidates)
	case LeastLoaded:
		return lessLoaded(candidates)
	default:
		return candidates[0]
	}
}

// roundRobin is the smooth weighted kind: each gains its weight, the richest is
// taken and pays for all. With equal weights it is one after the other.
func roundRobin(candidates []*endpoint) *endpoint {
	total := 0
	var best *endpoint
	for _, e := range candidates {
		e.turn += e.addr.weight()
		total += e.addr.weight()
		if best == nil || e.turn > best.turn {
			best = e
		}
	}
	best.turn -= total
	return best
}

func weighted(candidates []*endpoint) *endpoint {
	total := 0
	for _, e := range candidates {
		total += e.addr.weight()
	}
	at := rand.N(total) //nolint:gosec // spreads load, hides nothing
	for _, e := range candidates {
		if at -= e.addr.weight(); at < 0 {
			return e
		}
	}
	return candidates[len(candidates)-1]
}

// clearly is how much less loaded the second of two has to be.
const clearly = 0.7

func lessLoaded(candidates []*endpoint) *endpoint {
	i := rand.N(len(candidates))     //nolint:gosec // spreads load, hides nothing
	j := rand.N(len(candidates) - 1) //nolint:gosec // as above
	if j >= i {
		j++
	}
	a, b := candidates[i], candidates[j]
	if b.load() < a.load()*clearly {
		return b
	}
	return a // any of two that are alike
}
