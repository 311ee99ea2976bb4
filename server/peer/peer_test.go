package peer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/peer"
)

// ask sends a request from an address with header lines "Name: value".
func ask(t *testing.T, trusted []string, from string, header ...string) (peer.Peer, *http.Request) {
	t.Helper()
	proxies, err := peer.ParseProxies(trusted)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://inner/", nil)
	r.RemoteAddr = from
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	var got peer.Peer
	var seen *http.Request
	peer.Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var ok bool
		if got, ok = peer.From(r.Context()); !ok {
			t.Error("nobody")
		}
		seen = r
	}), proxies).ServeHTTP(httptest.NewRecorder(), r)
	return got, seen
}

func TestForwarded(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8"}
	f := func(from, want string, header ...string) {
		t.Helper()
		p, r := ask(t, trusted, from, header...)
		if p.String() != want {
			t.Errorf("%s with %q is %s, want %s", from, header, p, want)
		}
		if p.Proxied != (p.Via.IsValid()) || p.Proxied && !strings.Contains(r.RemoteAddr, p.IP.String()) {
			t.Errorf("%s with %q: %+v, RemoteAddr %s", from, header, p, r.RemoteAddr)
		}
	}
	f("203.0.113.7:5000", "203.0.113.7:5000")
	f("[2001:db8::7]:5000", "[2001:db8::7]:5000")
	f("[::ffff:203.0.113.7]:5000", "203.0.113.7:5000")
	// Who is no trusted proxy is not believed.
	f("203.0.113.7:5000", "203.0.113.7:5000", "X-Forwarded-For: 192.0.2.1")
	f("203.0.113.7:5000", "203.0.113.7:5000", "Forwarded: for=192.0.2.1")
	f("@", "unix", "X-Forwarded-For: 192.0.2.1")
	// A trusted one is.
	f("10.1.2.3:5000", "10.1.2.3:5000")
	f("10.1.2.3:5000", "192.0.2.1", "X-Forwarded-For: 192.0.2.1")
	f("[::ffff:10.1.2.3]:5000", "192.0.2.1", "X-Forwarded-For: 192.0.2.1")
	f("[::1]:5000", "192.0.2.1:44", "X-Forwarded-For: 192.0.2.1:44")
	f("10.1.2.3:5000", "2001:db8::1", "X-Forwarded-For: 2001:db8::1")
	f("10.1.2.3:5000", "[2001:db8::1]:80", "X-Forwarded-For: [2001:db8::1]:80")
	// The last that is no trusted proxy counts: what is before, anyone can write.
	f("10.1.2.3:5000", "192.0.2.1", "X-Forwarded-For: 198.51.100.66, 192.0.2.1, 10.9.9.9")
	f("10.1.2.3:5000", "192.0.2.1", "X-Forwarded-For: 198.51.100.66", "X-Forwarded-For: 192.0.2.1, 10.9.9.9")
	f("10.1.2.3:5000", "10.9.9.9", "X-Forwarded-For: 10.9.9.9")
	f("10.1.2.3:5000", "10.9.9.9", "X-Forwarded-For: junk, 10.9.9.9")
	f("10.1.2.3:5000", "10.1.2.3:5000", "X-Forwarded-For: junk")
	f("10.1.2.3:5000", "10.1.2.3:5000", "X-Forwarded-For: ")
	f("10.1.2.3:5000", "10.1.2.3:5000", "X-Forwarded-For: 192.0.2.1, unknown")
	// RFC 7239, whose word goes before.
	f("10.1.2.3:5000", "192.0.2.43", "Forwarded: for=192.0.2.43")
	f("10.1.2.3:5000", "[2001:db8:cafe::17]:4711", `Forwarded: For="[2001:db8:cafe::17]:4711"`)
	f("10.1.2.3:5000", "192.0.2.60", "Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43")
	f("10.1.2.3:5000", "198.51.100.17", "Forwarded: for=192.0.2.43, for=198.51.100.17")
	f("10.1.2.3:5000", "10.1.2.3:5000", "Forwarded: for=192.0.2.43, for=_hidden")
	f("10.1.2.3:5000", "192.0.2.43", `Forwarded: for="192.0.2.43";host="a,b;c"`, "X-Forwarded-For: 192.0.2.9")
}

func TestForwardedProtoAndHost(t *testing.T) {
	f := func(secure bool, host string, header ...string) {
		t.Helper()
		p, r := ask(t, []string{"10.0.0.1"}, "10.0.0.1:5000", header...)
		if p.Secure != secure || r.Host != host {
			t.Errorf("%q: secure %v, host %s, want %v, %s", header, p.Secure, r.Host, secure, host)
		}
	}
	f(false, "inner")
	f(true, "inner", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
	f(true, "outer", "X-Forwarded-For: 198.51.100.66, 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: outer")
	f(false, "outer", "X-Forwarded-For: 198.51.100.66, 192.0.2.1", "X-Forwarded-Proto: https, http", "X-Forwarded-Host: forged, outer")
	f(true, "outer", "Forwarded: for=192.0.2.1;proto=https;host=outer")

	p, r := ask(t, nil, "10.0.0.1:5000", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: outer", "Forwarded: for=1.1.1.1", "X-Other: kept")
	if p.Secure || r.Host != "inner" || len(r.Header) != 1 || r.Header.Get("X-Other") != "kept" {
		t.Errorf("from no trusted proxy: %+v %s %v", p, r.Host, r.Header)
	}
}

func TestParseProxies(t *testing.T) {
	p, err := peer.ParseProxies([]string{"unix", "192.0.2.7", "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(address string, want bool) {
		t.Helper()
		if p.Trusts(address) != want {
			t.Errorf("trusts %q: %v", address, !want)
		}
	}
	f("@", true)
	f("192.0.2.7:1", true)
	f("192.0.2.8:1", false)
	f("10.1.255.255:1", true)
	f("10.2.0.0:1", false)
	if (peer.Proxies{}).Trusts("@") || (peer.Proxies{}).Trusts("127.0.0.1:1") || (peer.Proxies{}).Any() || !p.Any() {
		t.Error("the zero value trusts somebody")
	}
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "10.0.0"} {
		if _, err := peer.ParseProxies([]string{text}); err == nil || !strings.Contains(err.Error(), "10.0.0.0/8") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for="[2001:db8::1]:80";proto=https, for=10.0.0.1`, "1.2.3.4, 5.6.7.8")
	f.Add(`for="\`, ",,,")
	f.Fuzz(func(t *testing.T, forwarded, xff string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://inner/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["Forwarded"], r.Header["X-Forwarded-For"] = []string{forwarded}, []string{xff}
		proxies, err := peer.ParseProxies([]string{"10.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		peer.Identify(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if p, ok := peer.From(r.Context()); !ok || !p.IP.IsValid() || p.IP.Is4In6() {
				t.Errorf("%+v", p)
			}
		}), proxies).ServeHTTP(httptest.NewRecorder(), r)
	})
}
