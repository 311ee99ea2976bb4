package h2

import "net/http"

// handling is how a response header is put on the wire.
type handling byte

const (
	literal handling = iota // new each time: not worth a place in the table
	indexed                 // the same again and again
	secret                  // never indexed, here or by a proxy
)

var handlings = map[string]handling{
	":status": indexed, "content-type": indexed, "content-encoding": indexed, "date": indexed, "server": indexed,
	"vary": indexed, "cache-control": indexed, "trailer": indexed, "accept-encoding": indexed, "accept-post": indexed, "allow": indexed,
	"access-control-allow-origin": indexed, "access-control-allow-credentials": indexed, "access-control-allow-headers": indexed,
	"access-control-allow-methods": indexed, "access-control-expose-headers": indexed, "access-control-max-age": indexed,
	"content-security-policy": indexed, "x-content-type-options": indexed, "strict-transport-security": indexed,
	"referrer-policy": indexed, "alt-svc": indexed,
	"grpc-status": indexed, "grpc-encoding": indexed, "grpc-accept-encoding": indexed,
	"connect-content-encoding": indexed, "connect-accept-encoding": indexed,
	"set-cookie": secret, "authorization": secret, "proxy-authorization": secret, "www-authenticate": secret,
	"proxy-authenticate": secret, "authentication-info": secret,
}

func handlingOf(name string) handling { return handlings[name] }

// names maps header names as they are on the wire to those of http.Header, and
// back, for the ones that are met most; the rest is made each time.
var toCanonical, toLower = func() (map[string]string, map[string]string) {
	canonical, lower := map[string]string{}, map[string]string{}
	for _, name := range []string{
		"accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "cache-control", "content-encoding",
		"content-length", "content-type", "cookie", "expect", "forwarded", "if-modified-since", "if-none-match", "origin", "pragma",
		"priority", "range", "referer", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode",
		"sec-fetch-site", "te", "trailer", "traceparent", "tracestate", "user-agent", "upgrade-insecure-requests", "via",
		"x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-user-agent", "x-grpc-web",
		"connect-accept-encoding", "connect-content-encoding", "connect-protocol-version", "connect-timeout-ms",
		"grpc-accept-encoding", "grpc-encoding", "grpc-timeout", "grpc-trace-bin", "grpc-tags-bin",
		// of responses
		"accept-post", "accept-ranges", "access-control-allow-credentials", "access-control-allow-headers",
		"access-control-allow-methods", "access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
		"age", "allow", "alt-svc", "connection", "content-security-policy", "date", "etag", "expires", "grpc-message", "grpc-status",
		"grpc-status-details-bin", "keep-alive", "last-modified", "location", "proxy-connection", "referrer-policy", "retry-after",
		"server", "set-cookie", "strict-transport-security", "transfer-encoding", "upgrade", "vary", "www-authenticate",
		"x-content-type-options",
	} {
		c := http.CanonicalHeaderKey(name)
		canonical[name] = c
		lower[c] = name
	}
	return canonical, lower
}()

// CanonicalName is the http.Header key of a name on the wire.
func CanonicalName(name string) string {
	if c, ok := toCanonical[name]; ok {
		return c
	}
	return http.CanonicalHeaderKey(name)
}

// WireName is the name on the wire of an http.Header key. It is false where the
// key cannot be sent.
func WireName(key string) (string, bool) {
	if l, ok := toLower[key]; ok {
		return l, true
	}
	return lowerToken(key)
}

// lowerToken lowers a header name, and is false for what is none.
func lowerToken(s string) (string, bool) {
	upper := false
	for i := range len(s) {
		c := s[i]
		if !tokenBytes[c] {
			return "", false
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s, s != ""
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b), true
}

// tokenBytes are the bytes of a token of RFC 9110, section 5.6.2.
var tokenBytes = func() (t [256]bool) {
	for c := byte('0'); c <= '9'; c++ {
		t[c] = true
	}
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()

// validWireName reports whether a name may be in a block: a token in lower case.
func validWireName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !tokenBytes[c] || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s != ""
}

// validValue reports whether a field's value may be in a block: no control
// characters but tab, as RFC 9110, section 5.5 has it.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
