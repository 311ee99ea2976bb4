package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is a log that may be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.text.String(), text)
}

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// shown is the common name of what a handshake shows.
func shown(t *testing.T, config *tls.Config, client *tls.Config) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	server := tls.Server(a, config)
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		_ = a.Close()
		done <- err
	}()
	conn := tls.Client(b, client)
	err := conn.Handshake()
	if err == nil {
		_, _ = conn.Read(make([]byte, 1)) // takes what a server of TLS 1.3 says after
	}
	_ = b.Close()
	serverErr := <-done
	if err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, serverErr
}

var anyone = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestReload(t *testing.T) {
	ca := servertest.NewAuthority(t)
	cert, key := ca.Server("first")
	var log record
	keeper, err := certificate.Open(certificate.Options{CertFile: cert, KeyFile: key, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keeper.Watch(ctx) }()
	defer func() { cancel(); <-done }()
	wants := func(name string) {
		t.Helper()
		servertest.Eventually(t, name+" is shown", func() bool {
			got, err := shown(t, keeper.Config(), anyone)
			return err == nil && got == name
		})
	}
	wants("first")

	// One file of two: the pair before stays, and the log says so.
	secondCert, secondKey := ca.Server("second")
	move(t, secondCert, cert)
	servertest.Eventually(t, "the log complains", func() bool { return log.has("the new TLS files are not used") && log.has("private key does not match") })
	wants("first")
	move(t, secondKey, key)
	wants("second")

	// What is no certificate, and what is no more.
	if err := os.WriteFile(cert, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, "the log complains of rubbish", func() bool { return log.has("failed to find any PEM data") })
	wants("second")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	servertest.Eventually(t, "the log complains of what is gone", func() bool { return log.has("no such file") || log.has("cannot find the file") })
	wants("second")
	thirdCert, thirdKey := ca.Server("third")
	move(t, thirdKey, key)
	move(t, thirdCert, cert)
	wants("third")
}

func TestReloadOfClientAuthorities(t *testing.T) {
	ca, other := servertest.NewAuthority(t), servertest.NewAuthority(t)
	cert, key := ca.Server("server")
	file := filepath.Join(t.TempDir(), "clients.pem")
	copyFile(t, ca.File, file)
	keeper, err := certificate.Open(certificate.Options{CertFile: cert, KeyFile: key, ClientCAFile: file})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keeper.Watch(ctx) }()
	defer func() { cancel(); <-done }()
	let := func(a *servertest.Authority) bool {
		pair, err := tls.LoadX509KeyPair(a.Client("caller"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = shown(t, keeper.Config(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
		return err == nil
	}
	if !let(ca) || let(other) {
		t.Error("not exactly the callers of the authority are let in")
	}
	copyFile(t, other.File, file)
	servertest.Eventually(t, "the other authority's callers are let in", func() bool { return let(other) })
	if let(ca) {
		t.Error("callers of the authority before are let in")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSelfSigned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "self.pem")
	var log record
	open := func(names ...string) *certificate.Keeper {
		t.Helper()
		keeper, err := certificate.Open(certificate.Options{SelfSignedFile: file, Names: names, Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		return keeper
	}
	first := open("vitals.example.com", "192.0.2.7", "0.0.0.0", "")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", host, "127.0.0.1", "::1", "vitals.example.com", "192.0.2.7"} {
		if err := first.Leaf().VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if first.Leaf().VerifyHostname("0.0.0.0") == nil || time.Until(first.Leaf().NotAfter) < 9*365*24*time.Hour {
		t.Errorf("%v until %v", first.Leaf().IPAddresses, first.Leaf().NotAfter)
	}
	pool := x509.NewCertPool()
	pool.AddCert(first.Leaf())
	if name, err := shown(t, first.Config(), &tls.Config{RootCAs: pool, ServerName: "localhost"}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if second := open("localhost"); second.Fingerprint() != first.Fingerprint() {
		t.Error("the next start shows another certificate")
	}
	if log.has("was made without this name") {
		t.Error("a warning of a name that is there")
	}
	if second := open("new.example.com"); second.Fingerprint() != first.Fingerprint() || !log.has("was made without this name") || !log.has("new.example.com") {
		t.Error("no warning of a name that is not there")
	}
}

func TestOpenRefusals(t *testing.T) {
	ca := servertest.NewAuthority(t)
	cert, key := ca.Server("server")
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(want string, opts certificate.Options) {
		t.Helper()
		if _, err := certificate.Open(opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", opts, err, want)
		}
	}
	f("give both --tls-cert and --tls-key", certificate.Options{})
	f("give both --tls-cert and --tls-key", certificate.Options{CertFile: cert})
	f("exclude each other", certificate.Options{CertFile: cert, KeyFile: key, SelfSignedFile: broken})
	f("no such file", certificate.Options{CertFile: cert, KeyFile: "nowhere"})
	f("remove the file to have a new one made", certificate.Options{SelfSignedFile: broken})
	f("has no certificate in PEM form", certificate.Options{CertFile: cert, KeyFile: key, ClientCAFile: broken})
	f("neither require nor optional", certificate.Options{CertFile: cert, KeyFile: key, ClientAuth: "maybe"})
}

// What is too old to be offered.
func TestSuites(t *testing.T) {
	ca := servertest.NewAuthority(t)
	cert, key := ca.Server("server")
	keeper, err := certificate.Open(certificate.Options{CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	f := func(ok bool, client *tls.Config) {
		t.Helper()
		client.InsecureSkipVerify = true
		if _, err := shown(t, keeper.Config(), client); (err == nil) != ok {
			t.Errorf("%+v: %v", client, err)
		}
	}
	f(true, &tls.Config{MinVersion: tls.VersionTLS13})
	f(true, &tls.Config{MaxVersion: tls.VersionTLS12})
	f(false, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	f(false, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}})
	f(true, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}})
}
