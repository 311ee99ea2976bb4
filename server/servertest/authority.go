package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/certificate"
)

// month is how long certificates are good: longer than the server warns ahead.
const month = 30 * 24 * time.Hour

// Authority signs certificates for a test, into a folder of its own.
type Authority struct {
	// File has the authority's own certificate, in PEM.
	File string

	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, dir: tb.TempDir(), key: newKey(tb)}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(month),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.File = filepath.Join(a.dir, "authority.pem")
	a.cert = a.sign(template, template, a.key, a.File)
	return a
}

// Pool has the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server makes a certificate for localhost and both loopback addresses.
func (a *Authority) Server(name string) (certFile, keyFile string) {
	a.tb.Helper()
	return a.Sign(name, &x509.Certificate{
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// Client makes a certificate for a client of that common name.
func (a *Authority) Client(name string) (certFile, keyFile string) {
	a.tb.Helper()
	return a.Sign(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Sign makes a certificate from a template, whose common name is its file's too;
// a file of that name is replaced. Dates default to now.
func (a *Authority) Sign(name string, template *x509.Certificate) (certFile, keyFile string) {
	a.tb.Helper()
	template.Subject = pkix.Name{CommonName: name}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(month)
	}
	key := newKey(a.tb)
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	a.sign(template, a.cert, key, certFile)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.write(keyFile, &pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return certFile, keyFile
}

// TLS opens a server certificate as serve does. The files' options may be left out.
func (a *Authority) TLS(opts certificate.Options) *tls.Config {
	a.tb.Helper()
	if opts.CertFile == "" {
		opts.CertFile, opts.KeyFile = a.Server("server")
	}
	keeper, err := certificate.Open(opts)
	if err != nil {
		a.tb.Fatal(err)
	}
	return keeper.Config()
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, file string) *x509.Certificate {
	a.tb.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		a.tb.Fatal(err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.write(file, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return cert
}

func (a *Authority) write(file string, block *pem.Block) {
	a.tb.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		a.tb.Fatal(err)
	}
}
