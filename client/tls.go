package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/vitals-rpc/vitals/pin"
)

// trust is what the TLS options say of whom to trust, and who the caller is.
type trust struct {
	caFile            string
	fingerprints      []string
	certFile, keyFile string
}

// WithCA trusts the authorities in a PEM file, and no others, to sign the
// certificate of an https target. Default: the system's authorities.
func WithCA(file string) Option { return func(o *options) { o.trust.caFile = file } }

// WithFingerprint trusts exactly the certificates with these SHA-256 fingerprints
// ("sha256:..." as "vitals serve --tls-self-signed" prints it, or with colons, as
// openssl does), and no authority. Names and dates of such a certificate are not
// looked at. Give two while a server changes its certificate.
//
// With [WithCA] both must hold.
func WithFingerprint(fingerprints ...string) Option {
	return func(o *options) { o.trust.fingerprints = append(o.trust.fingerprints, fingerprints...) }
}

// WithClientCertificate shows a certificate to an https target that asks for one.
// The PEM files are read anew for each connection, so that they may be renewed.
func WithClientCertificate(certFile, keyFile string) Option {
	return func(o *options) { o.trust.certFile, o.trust.keyFile = certFile, keyFile }
}

// TLSConfig returns the configuration that the options of this file make, for
// callers with an HTTP client of their own; nil means the system's defaults.
func TLSConfig(options ...Option) (*tls.Config, error) {
	o := defaults()
	for _, option := range options {
		option(&o)
	}
	return o.trust.apply(o.tls)
}

func (t *trust) given() bool {
	return t.caFile != "" || len(t.fingerprints) > 0 || t.certFile != "" || t.keyFile != ""
}

// apply adds what the options say to a configuration, which may be nil.
func (t *trust) apply(config *tls.Config) (*tls.Config, error) {
	if !t.given() {
		return config, nil
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	} else {
		config = config.Clone()
	}
	if t.caFile != "" {
		pool, err := readCA(t.caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if err := t.applyPins(config); err != nil {
		return nil, err
	}
	return config, t.applyClientCertificate(config)
}

func readCA(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, fmt.Errorf("the authorities to trust: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the authorities to trust: %s has no certificate in PEM form", file)
	}
	return pool, nil
}

func (t *trust) applyPins(config *tls.Config) error {
	var pins []pin.Fingerprint
	for _, text := range t.fingerprints {
		p, err := pin.Parse(text)
		if err != nil {
			return err
		}
		pins = append(pins, p)
	}
	if len(pins) == 0 {
		return nil
	}
	// With an authority too, it is asked as ever, and the pin is one thing more.
	config.InsecureSkipVerify = t.caFile == "" //nolint:gosec // VerifyConnection looks at the certificate itself
	config.VerifyConnection = func(state tls.ConnectionState) error {
		got := pin.Of(state.PeerCertificates[0]) // a server shows one always
		if !slices.Contains(pins, got) {
			return &pinError{got: got}
		}
		return nil
	}
	return nil
}

func (t *trust) applyClientCertificate(config *tls.Config) error {
	if t.certFile == "" && t.keyFile == "" {
		return nil
	}
	if t.certFile == "" || t.keyFile == "" {
		return errors.New("a client certificate needs its key: give both files")
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.certFile, t.keyFile)
		if err != nil {
			return nil, fmt.Errorf("the client certificate %s with the key %s: %w", t.certFile, t.keyFile, err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return nil
}
