package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/pin"
)

// TLSError is why no secure connection came about, in words. Its text names the
// flags of the vitals command for what can be done, and beside them there are
// options of the same names here.
type TLSError struct {
	// Reason is what went wrong and what to do.
	Reason string
	// Fingerprint is that of the certificate that the server showed, as
	// [WithFingerprint] takes it; empty where none was seen. Trust it only when
	// the server's operator says so.
	Fingerprint string
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *TLSError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *TLSError) Unwrap() error { return e.Err }

type pinError struct{ got pin.Fingerprint }

func (e *pinError) Error() string {
	return fmt.Sprintf("the server's certificate has the fingerprint %s, which is not the one that was pinned", e.got)
}

// explainTLS puts the errors of TLS into words.
func explainTLS(next http.RoundTripper) http.RoundTripper { return explaining{next} }

type explaining struct{ next http.RoundTripper }

func (e explaining) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := e.next.RoundTrip(req)
	if err != nil {
		err = inWords(req.URL.Host, err)
	}
	return res, err
}

// CloseIdleConnections is what http.Client looks for.
func (e explaining) CloseIdleConnections() {
	if c, ok := e.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// inWords returns a [TLSError] where err is one of TLS, or err.
func inWords(host string, err error) error {
	seen := ""
	if verify, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(verify.UnverifiedCertificates) > 0 {
		seen = pin.Of(verify.UnverifiedCertificates[0]).String()
	}
	reason := reasonOf(host, err, seen)
	if mismatch, ok := errors.AsType[*pinError](err); ok {
		seen = mismatch.got.String()
		reason = fmt.Sprintf("%s: %v. Either the server has a new certificate, which its operator can tell (pin it with --tls-fingerprint then), or somebody is between", host, mismatch)
	}
	if reason == "" {
		return err
	}
	return &TLSError{Reason: reason, Fingerprint: seen, Err: err}
}

// pinHint is what to do about a certificate that nobody vouches for.
func pinHint(fingerprint string) string {
	return fmt.Sprintf("if the server's operator says that this is its fingerprint, pin it with --tls-fingerprint %s; or name its authority's file with --tls-ca", fingerprint)
}

func reasonOf(host string, err error, seen string) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Sprintf("the certificate of %s is not signed by an authority that is trusted here; %s", host, pinHint(seen))
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalidReason(host, invalid, seen)
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate of %s is for %s and not for that name; call the server by such a name, or pin the certificate with --tls-fingerprint %s", host, namesOf(name.Certificate), seen)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("%s does not speak TLS on this port; write http://%s if that is meant", host, host)
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok || strings.Contains(err.Error(), "remote error: tls: ") {
		return alertReason(host, alert, err)
	}
	// net/http says this of a server's answer in plain text without an error type.
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return fmt.Sprintf("%s does not speak TLS on this port; write http://%s if that is meant", host, host)
	}
	return ""
}

func invalidReason(host string, invalid x509.CertificateInvalidError, seen string) string {
	cert := invalid.Cert
	switch {
	case invalid.Reason != x509.Expired || cert == nil:
		return fmt.Sprintf("the certificate of %s is no good: %v", host, invalid)
	case time.Now().Before(cert.NotBefore):
		return fmt.Sprintf("the certificate of %s is valid from %s only: is the clock of this machine right?", host, cert.NotBefore.Format(time.RFC3339))
	default:
		return fmt.Sprintf("the certificate of %s expired at %s: its operator has to renew it (or this machine's clock is wrong); to go on all the same, pin it with --tls-fingerprint %s",
			host, cert.NotAfter.Format(time.RFC3339), seen)
	}
}

func namesOf(cert *x509.Certificate) string {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, ", ")
}

// alertReason is for what the server said to end the handshake.
func alertReason(host string, _ tls.AlertError, err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"):
		return fmt.Sprintf("%s wants a certificate of its callers, and took none from this one; name yours with --tls-cert and --tls-key", host)
	case strings.Contains(text, "unknown certificate authority"):
		return fmt.Sprintf("%s does not know the authority that signed the certificate of --tls-cert", host)
	case strings.Contains(text, "expired certificate"):
		return fmt.Sprintf("%s says that the certificate of --tls-cert has expired", host)
	case strings.Contains(text, "protocol version not supported"):
		return fmt.Sprintf("%s speaks no version of TLS that this program does (1.2 and 1.3)", host)
	default:
		return ""
	}
}
