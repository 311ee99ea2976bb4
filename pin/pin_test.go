package pin_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/pin"
)

func TestParse(t *testing.T) {
	want := pin.Of(&x509.Certificate{Raw: []byte("a certificate")})
	text := want.String()
	digits := strings.TrimPrefix(text, pin.Prefix)
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, strings.ToUpper(digits[i:i+2]))
	}
	colons := strings.Join(pairs, ":")
	for _, in := range []string{text, digits, strings.ToUpper(digits), colons, "SHA256:" + colons, "sha256 Fingerprint=" + colons, " " + text + "\n"} {
		got, err := pin.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "sha256:", "sha1:" + digits, digits[2:], digits + "00", strings.Repeat("zz", 32)} {
		if got, err := pin.Parse(in); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
			t.Errorf("Parse(%q) = %v, %v; want an error", in, got, err)
		}
	}
}
