package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vitals-rpc/vitals/durable"
)

// selfSignedLife is how long a certificate of the server's own making is good.
// Long, for callers trust it by its fingerprint, which a new one would change.
const selfSignedLife = 10 * 365 * 24 * time.Hour

// ensureSelfSigned makes the certificate where there is none. One that is there
// stays, whatever its names, for callers have pinned it.
func ensureSelfSigned(path string, names []string, log *slog.Logger) error {
	pair, err := tls.LoadX509KeyPair(path, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeSelfSigned(path, names)
	case err != nil:
		return fmt.Errorf("the self-signed certificate %s: %w; remove the file to have a new one made, whose fingerprint callers must then learn", path, err)
	}
	if pair.Leaf != nil && time.Now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("the self-signed certificate %s expired at %s; remove the file to have a new one made, whose fingerprint callers must then learn",
			path, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	for _, name := range names {
		if pair.Leaf != nil && pair.Leaf.VerifyHostname(name) != nil {
			log.Warn("the self-signed certificate was made without this name; callers who pin its fingerprint do not mind, others need a new one: remove the file",
				"name", name, "file", path)
		}
	}
	return nil
}

func makeSelfSigned(path string, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a self-signed certificate: %w", err)
	}
	template, err := selfSignedTemplate(names)
	if err != nil {
		return fmt.Errorf("making a self-signed certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("making a self-signed certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("making a self-signed certificate: %w", err)
	}
	var text bytes.Buffer
	_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a buffer takes all
	_ = pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the self-signed certificate: %w", err)
	}
	if err := durable.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("keeping the self-signed certificate: %w", err)
	}
	return nil
}

func selfSignedTemplate(names []string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Vitals"}, CommonName: "vitals self-signed"},
		NotBefore:    now.Add(-time.Hour), // for callers whose clock is behind
		NotAfter:     now.Add(selfSignedLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// It signs nothing else: who trusts it trusts this server alone.
		BasicConstraintsValid: true,
	}
	t.DNSNames, t.IPAddresses = alternatives(names)
	return t, nil
}

// alternatives are the names and addresses that this machine is called by, and
// those that were asked for.
func alternatives(names []string) (dns []string, ips []net.IP) {
	dns = []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		dns = append(dns, host)
	}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, name := range names {
		ip := net.ParseIP(name)
		switch {
		case ip == nil && name != "" && !slices.Contains(dns, name):
			dns = append(dns, name)
		case ip != nil && !ip.IsUnspecified() && !slices.ContainsFunc(ips, ip.Equal):
			ips = append(ips, ip)
		}
	}
	return dns, ips
}
