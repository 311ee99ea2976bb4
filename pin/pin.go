// Package pin names a certificate by the SHA-256 of its DER form, the fingerprint
// that openssl and browsers show too, so that a caller can trust exactly that
// certificate with no authority between. Server and client share it.
package pin

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Prefix begins the text of a fingerprint.
const Prefix = "sha256:"

// Fingerprint is the SHA-256 of a certificate.
type Fingerprint [sha256.Size]byte

// Of returns the fingerprint of a certificate.
func Of(cert *x509.Certificate) Fingerprint { return sha256.Sum256(cert.Raw) }

// String is the text that [Parse] takes: sha256: and 64 hexadecimal digits.
func (f Fingerprint) String() string { return Prefix + hex.EncodeToString(f[:]) }

// Parse reads a fingerprint: 64 hexadecimal digits in either case, with sha256:
// before them or not, and with colons between bytes or not, as
// "openssl x509 -fingerprint -sha256" prints them.
func Parse(text string) (Fingerprint, error) {
	digits := strings.TrimSpace(text)
	if _, after, ok := strings.Cut(digits, "="); ok { // sha256 Fingerprint=AB:CD:...
		digits = after
	}
	if len(digits) >= len(Prefix) && strings.EqualFold(digits[:len(Prefix)], Prefix) {
		digits = digits[len(Prefix):]
	}
	var f Fingerprint
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || len(raw) != len(f) {
		return f, fmt.Errorf("fingerprint %q is not of the form sha256: and 64 hexadecimal digits, as 'vitals serve --tls-self-signed' prints it", text)
	}
	return Fingerprint(raw), nil
}
