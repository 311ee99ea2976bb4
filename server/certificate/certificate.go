// Package certificate keeps what the server shows of itself in TLS, and whose
// client certificates it takes: read from files, read again when they change, or
// made on the first start.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/vitals-rpc/vitals/pin"
)

// reloadInterval is how often the files are looked at.
const reloadInterval = time.Second

// ClientAuth says which callers need a certificate.
type ClientAuth string

// The ways to treat client certificates.
const (
	// Require refuses callers who show no certificate of the authority.
	Require ClientAuth = "require"
	// Optional lets callers in without a certificate; one that is shown must be
	// of the authority.
	Optional ClientAuth = "optional"
)

// ParseClientAuth returns the mode of that name.
func ParseClientAuth(name string) (ClientAuth, error) {
	switch mode := ClientAuth(name); mode {
	case Require, Optional:
		return mode, nil
	}
	return "", fmt.Errorf("client authentication %q is neither require nor optional", name)
}

// Options configures a [Keeper].
type Options struct {
	// CertFile and KeyFile are PEM files: the certificate, with the intermediate
	// ones after it, and its private key.
	CertFile, KeyFile string
	// SelfSignedFile is where a certificate of the server's own making is kept,
	// with its key, in place of those two. It is made where it is missing.
	SelfSignedFile string
	// Names are the host names and addresses that a certificate which is made
	// stands for, beside this machine's own.
	Names []string
	// ClientCAFile has the authorities, in PEM, whose client certificates are
	// taken. Default: none is asked for.
	ClientCAFile string
	// ClientAuth says what becomes of callers without one. Default: [Require].
	ClientAuth ClientAuth
	// Logger is told of files that were read again, and of those that are no
	// good. Default: slog.Default().
	Logger *slog.Logger
}

// Keeper has the certificate and the client authorities of now. It is safe for
// concurrent use.
type Keeper struct {
	opts      Options
	watched   []file
	complaint error // of the files as they are now, where they cannot be used and nothing was said yet
	current   atomic.Pointer[material]
	config    *tls.Config
}

// material is what belongs together and is replaced together.
type material struct {
	certificate *tls.Certificate
	clients     *x509.CertPool // nil where client certificates are not asked for
}

// Open reads the files, or makes the certificate.
func Open(opts Options) (*Keeper, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.ClientAuth == "" {
		opts.ClientAuth = Require
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if opts.SelfSignedFile != "" {
		if err := ensureSelfSigned(opts.SelfSignedFile, opts.Names, opts.Logger); err != nil {
			return nil, err
		}
		opts.CertFile, opts.KeyFile = opts.SelfSignedFile, opts.SelfSignedFile
	}
	k := &Keeper{opts: opts, watched: look(opts.CertFile, opts.KeyFile, opts.ClientCAFile)}
	m, err := k.read()
	if err != nil {
		return nil, err
	}
	k.current.Store(m)
	k.warnOfExpiry(m)
	k.config = k.newConfig()
	return k, nil
}

func (o *Options) validate() error {
	switch {
	case o.SelfSignedFile != "" && o.CertFile+o.KeyFile != "":
		return errors.New("a self-signed certificate and one from files exclude each other: give --tls-self-signed, or --tls-cert and --tls-key")
	case o.SelfSignedFile == "" && (o.CertFile == "" || o.KeyFile == ""):
		return errors.New("TLS needs a certificate and its key: give both --tls-cert and --tls-key, or --tls-self-signed for a first try")
	}
	_, err := ParseClientAuth(string(o.ClientAuth))
	return err
}

// Leaf is the certificate that is shown now.
func (k *Keeper) Leaf() *x509.Certificate { return k.current.Load().certificate.Leaf }

// Fingerprint is that of the certificate that is shown now.
func (k *Keeper) Fingerprint() pin.Fingerprint { return pin.Of(k.Leaf()) }

// Config is the server's side of TLS, for every listener and for QUIC. It always
// shows the certificate of now. It must not be changed.
func (k *Keeper) Config() *tls.Config { return k.config }

// modern are the suites of TLS 1.2 that are offered: forward secret and
// authenticated. TLS 1.3 has no others.
var modern = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (k *Keeper) newConfig() *tls.Config {
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: modern,
		NextProtos:   []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return k.current.Load().certificate, nil
		},
	}
	if k.opts.ClientCAFile == "" {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if k.opts.ClientAuth == Optional {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	config.ClientCAs = k.current.Load().clients
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.GetConfigForClient = nil
		now.ClientCAs = k.current.Load().clients
		return now, nil
	}
	return config
}

// read reads all files into one whole.
func (k *Keeper) read() (*material, error) {
	pair, err := tls.LoadX509KeyPair(k.opts.CertFile, k.opts.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the TLS certificate %s with the key %s: %w", k.opts.CertFile, k.opts.KeyFile, err)
	}
	if pair.Leaf == nil { // as GODEBUG x509keypairleaf=0 has it
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("the TLS certificate %s: %w", k.opts.CertFile, err)
		}
	}
	m := &material{certificate: &pair}
	if k.opts.ClientCAFile == "" {
		return m, nil
	}
	text, err := os.ReadFile(k.opts.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("the authorities of client certificates: %w", err)
	}
	m.clients = x509.NewCertPool()
	if !m.clients.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the authorities of client certificates: %s has no certificate in PEM form", k.opts.ClientCAFile)
	}
	return m, nil
}

// Watch reads the files again when they change, until ctx ends. New ones take
// effect all together or not at all: while they do not fit each other, or are no
// good, the ones before stay in use, and the log says so.
func (k *Keeper) Watch(ctx context.Context) {
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.reload()
		}
	}
}

// warnAhead is how long before its end a certificate is warned of.
const warnAhead = 14 * 24 * time.Hour

func (k *Keeper) warnOfExpiry(m *material) {
	end := m.certificate.Leaf.NotAfter
	switch left := time.Until(end); {
	case left <= 0:
		k.opts.Logger.Warn("the TLS certificate has expired; callers will refuse it", "file", k.opts.CertFile, "expired", end)
	case left < warnAhead:
		k.opts.Logger.Warn("the TLS certificate expires soon", "file", k.opts.CertFile, "expires", end)
	}
}
