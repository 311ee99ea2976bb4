package peer

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers by which proxies name the caller: RFC 7239's, and the older ones.
const (
	headerForwarded      = "Forwarded"
	headerForwardedFor   = "X-Forwarded-For"
	headerForwardedProto = "X-Forwarded-Proto"
	headerForwardedHost  = "X-Forwarded-Host"
)

var forwardingHeaders = []string{headerForwarded, headerForwardedFor, headerForwardedProto, headerForwardedHost}

// Proxies are those that are trusted to say who calls. The zero value trusts none.
type Proxies struct {
	networks []netip.Prefix
	unix     bool
}

// ParseProxies reads a list of networks (10.0.0.0/8), addresses (10.0.0.7), and
// "unix" for whoever calls by a unix socket.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		if text == "unix" {
			p.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(text); err == nil {
				network, err = ip.Prefix(ip.BitLen())
			}
		}
		if err != nil {
			return Proxies{}, fmt.Errorf("trusted proxy %q is neither an address such as 10.0.0.7, a network such as 10.0.0.0/8, nor unix", text)
		}
		p.networks = append(p.networks, network.Masked())
	}
	return p, nil
}

// Any says whether there are any.
func (p Proxies) Any() bool { return p.unix || len(p.networks) > 0 }

// Trusts says whether what is at that address, in the form of net.Addr's String,
// is a trusted proxy. What is no IP address is a unix socket's.
func (p Proxies) Trusts(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return p.trusts(netip.Addr{})
	}
	return p.trusts(ap.Addr())
}

// trusts takes an address that is not valid for a unix socket's.
func (p Proxies) trusts(ip netip.Addr) bool {
	if !ip.IsValid() {
		return p.unix
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// without is the headers without those of forwarding, which are not believed.
func without(header http.Header) http.Header {
	if !hasForwarding(header) {
		return header
	}
	header = header.Clone()
	for _, name := range forwardingHeaders {
		delete(header, name)
	}
	return header
}

func hasForwarding(header http.Header) bool {
	return slices.ContainsFunc(forwardingHeaders, func(name string) bool { return header[name] != nil })
}

// hop is what one proxy says of who called it.
type hop struct {
	from        netip.AddrPort
	known       bool // from is an address
	proto, host string
}

// forwarded is who a chain of proxies says that calls: the last hop that no
// trusted proxy made. The nearest proxy is the one at the other end, whose word is
// the last in the list; what is before the word of one that is not trusted,
// anyone could have written.
func forwarded(r *http.Request, p Peer, trusted Proxies) Peer {
	hops := hopsOf(r.Header)
	for i, h := range slices.Backward(hops) {
		if !h.known {
			break
		}
		if !p.Proxied {
			p.Via = p.IP // the one at the other end
		}
		p.Proxied = true
		p.IP, p.Port = h.from.Addr().Unmap().WithZone(""), h.from.Port()
		if h.proto != "" {
			p.Secure = strings.EqualFold(h.proto, "https")
		}
		if h.host != "" {
			r.Host = h.host
		}
		if i == 0 || !trusted.trusts(p.IP) {
			break
		}
	}
	if p.Proxied {
		p.Certificate = nil // the proxy's, not the caller's
	}
	return p
}

func hopsOf(header http.Header) []hop {
	if values := header.Values(headerForwarded); len(values) > 0 {
		return rfc7239(strings.Join(values, ","))
	}
	var hops []hop
	for _, text := range list(header, headerForwardedFor) {
		from, known := parseNode(text)
		hops = append(hops, hop{from: from, known: known})
	}
	align(hops, list(header, headerForwardedProto), func(h *hop, v string) { h.proto = v })
	align(hops, list(header, headerForwardedHost), func(h *hop, v string) { h.host = v })
	return hops
}

// align gives each hop its value of another list. A proxy that does not append but
// sets has its one value count for the hop that it names.
func align(hops []hop, values []string, set func(*hop, string)) {
	for i := range values {
		if j := len(hops) - len(values) + i; j >= 0 {
			set(&hops[j], values[i])
		}
	}
}

// list is a header's values, of all its lines, between commas.
func list(header http.Header, name string) []string {
	lines := header.Values(name)
	if len(lines) == 0 {
		return nil
	}
	values := strings.Split(strings.Join(lines, ","), ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return values
}

// rfc7239 reads the header Forwarded: elements between commas, of pairs between
// semicolons, whose values may be quoted.
func rfc7239(text string) []hop {
	var hops []hop
	for _, element := range splitQuoted(text, ',') {
		var h hop
		for _, pair := range splitQuoted(element, ';') {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.ReplaceAll(strings.Trim(value, `"`), `\`, "")
			switch strings.ToLower(name) {
			case "for":
				h.from, h.known = parseNode(value)
			case "proto":
				h.proto = value
			case "host":
				h.host = value
			}
		}
		hops = append(hops, h)
	}
	return hops
}

// splitQuoted splits at a separator that is not within quotes.
func splitQuoted(text string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// parseNode reads an address with a port or without; IPv6 may be in brackets. Not
// known are "unknown" and the made-up names that RFC 7239 allows.
func parseNode(text string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap, true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return netip.AddrPortFrom(ip, 0), err == nil
}
