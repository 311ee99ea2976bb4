package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"

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
func explainTLS(next http.RoundTripper, config *tls.Config) http.RoundTripper {
	return explaining{next, config}
}

type explaining struct {
	next   http.RoundTripper
	config *tls.Config // nil: the defaults
}

func (e explaining) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := e.next.RoundTrip(req)
	plain := req.URL.Scheme == "http"
	switch {
	case err == nil && plain && res.StatusCode == http.StatusBadRequest && saysTLS(res):
		_ = res.Body.Close()
		return nil, &TLSError{Reason: needsTLS(req.URL.Host), Err: errors.New(res.Status)}
	case err == nil:
		return res, nil
	case plain && strings.Contains(err.Error(), http2.ErrCodeInadequateSecurity.String()):
		return nil, &TLSError{Reason: needsTLS(req.URL.Host), Err: err}
	case strings.Contains(err.Error(), "client conn could not be established"),
		!plain && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		// In TLS 1.3 a server refuses a client's certificate after the client's
		// handshake, so that the words may cross the first request and be lost.
		return nil, e.explainRefusal(req, err)
	}
	return nil, ExplainTLS(req.URL.Host, err)
}

// explainRefusal asks the server once more for why.
func (e explaining) explainRefusal(req *http.Request, err error) error {
	said := e.afterHandshake(req.Context(), req.URL)
	if req.URL.Scheme != "http" {
		return ExplainTLS(req.URL.Host, errors.Join(err, said))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](said); ok {
		return err
	}
	return &TLSError{Reason: needsTLS(req.URL.Host), Err: err}
}

// refusalWait is how long a server may take to say what it refuses.
const refusalWait = 2 * time.Second

// afterHandshake shakes hands and returns what the server says then.
func (e explaining) afterHandshake(ctx context.Context, u *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, refusalWait)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	dialer := tls.Dialer{Config: e.config.Clone()}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(refusalWait))
	_, err = conn.Read(make([]byte, 1))
	return err
}

func needsTLS(host string) string {
	return fmt.Sprintf("%s speaks TLS on this port; write https://%s", host, host)
}

// saysTLS says whether a refusal is that of a port that wants TLS: in the words of
// Vitals, of Go's own server, of nginx or of Apache.
func saysTLS(res *http.Response) bool {
	start, err := io.ReadAll(io.LimitReader(res.Body, 1024))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), res.Body), res.Body}
	if err != nil {
		return false
	}
	for _, words := range []string{"this port speaks TLS", "an HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port", "speaking plain HTTP to an SSL-enabled server port"} {
		if bytes.Contains(start, []byte(words)) {
			return true
		}
	}
	return false
}

// CloseIdleConnections is what http.Client looks for.
func (e explaining) CloseIdleConnections() {
	if c, ok := e.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// ExplainTLS returns a [TLSError] where err is one of TLS, met on the way to host,
// and any other err as it is. The errors of a [Client] are explained already.
func ExplainTLS(host string, err error) error {
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
	if _, ok := errors.AsType[tls.AlertError](err); ok || strings.Contains(err.Error(), "remote error: tls: ") || strings.Contains(err.Error(), "(remote): tls: ") {
		return alertReason(host, err)
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
func alertReason(host string, err error) string {
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
