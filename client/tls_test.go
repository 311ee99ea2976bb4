package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/pin"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func fingerprint(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return pin.Of(cert).String()
}

func get(t *testing.T, target string, options ...client.Option) error {
	t.Helper()
	c := dial(t, target, append(options, client.WithRetry(1))...)
	res, err := c.Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{MetricType: "cpu"})
	if err == nil && res.GetValue() != 12.5 {
		t.Errorf("%v", res)
	}
	return err
}

// Every protocol over TLS, HTTP/1.1, HTTP/2 and HTTP/3, a unary call and a stream.
func TestTLSEveryProtocol(t *testing.T) {
	ca := servertest.NewAuthority(t)
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{}), HTTP3: true})
	srv.Seed()
	for _, protocol := range []client.Protocol{client.Connect, client.GRPC, client.GRPCWeb} {
		for _, version := range [][]client.Option{nil, {client.WithHTTP3()}} {
			options := append([]client.Option{client.WithProtocol(protocol), client.WithCA(ca.File)}, version...)
			if err := get(t, srv.URL, options...); err != nil {
				t.Errorf("%s, HTTP/3 %v: %v", protocol, version != nil, err)
			}
			stream, err := dial(t, srv.URL, options...).Live().Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = stream.Send(&monitoringv1.WatchRequest{Selectors: []*monitoringv1.Selector{{MetricTypes: []string{"cpu"}}}})
			if err != nil {
				t.Errorf("%s, HTTP/3 %v: sending: %v", protocol, version != nil, err)
			}
			if _, err := stream.Receive(); err != nil {
				t.Errorf("%s, HTTP/3 %v: both ways: %v", protocol, version != nil, err)
			}
			_ = stream.Close()
		}
	}
	if len(srv.Log.Lines("level=ERROR")) > 0 {
		t.Errorf("%s", srv.Log)
	}
}

func TestTrust(t *testing.T) {
	ca, other := servertest.NewAuthority(t), servertest.NewAuthority(t)
	cert, key := ca.Server("server")
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{CertFile: cert, KeyFile: key}), HTTP3: true})
	srv.Seed()
	right := fingerprint(t, cert)
	wrong := fingerprint(t, ca.File)
	for _, version := range [][]client.Option{nil, {client.WithHTTP3()}} {
		f := func(want string, options ...client.Option) {
			t.Helper()
			err := get(t, srv.URL, append(options, version...)...)
			if want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			tlsErr, ok := errors.AsType[*client.TLSError](err)
			if !ok || !strings.Contains(err.Error(), want) || tlsErr.Fingerprint != right {
				t.Errorf("HTTP/3 %v: %v (%+v), want %q", version != nil, err, tlsErr, want)
			}
		}
		f("", client.WithCA(ca.File))
		f("", client.WithFingerprint(right))
		f("", client.WithFingerprint(wrong, right))
		f("", client.WithFingerprint(strings.ToUpper(strings.TrimPrefix(right, pin.Prefix))))
		f("", client.WithCA(ca.File), client.WithFingerprint(right))
		f("pin it with --tls-fingerprint " + right)
		f("is not signed by an authority that is trusted here", client.WithCA(other.File))
		f("is not signed by an authority", client.WithCA(other.File), client.WithFingerprint(right))
		f("not the one that was pinned", client.WithFingerprint(wrong))
		f("not the one that was pinned", client.WithCA(ca.File), client.WithFingerprint(wrong))
	}
}

func TestBadCertificates(t *testing.T) {
	ca := servertest.NewAuthority(t)
	f := func(name string, template *x509.Certificate, want string) {
		t.Helper()
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		cert, key := ca.Sign(name, template)
		srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{CertFile: cert, KeyFile: key})})
		srv.Seed()
		if err := get(t, srv.URL, client.WithCA(ca.File)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), srv.Addr) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err := get(t, srv.URL, client.WithFingerprint(fingerprint(t, cert))); err != nil {
			t.Errorf("%s, pinned: %v", name, err)
		}
	}
	loopback := []net.IP{net.IPv4(127, 0, 0, 1)}
	f("expired", &x509.Certificate{IPAddresses: loopback, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}, "expired at ")
	f("future", &x509.Certificate{IPAddresses: loopback, NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}, "is the clock of this machine right?")
	f("elsewhere", &x509.Certificate{DNSNames: []string{"vitals.example.com"}}, "is for vitals.example.com and not for that name")
}

func TestClientCertificates(t *testing.T) {
	ca, other := servertest.NewAuthority(t), servertest.NewAuthority(t)
	cert, key := ca.Client("agent-7")
	foreignCert, foreignKey := other.Client("agent-8")
	for _, version := range [][]client.Option{nil, {client.WithHTTP3()}} {
		f := func(auth certificate.ClientAuth, want string, options ...client.Option) {
			t.Helper()
			srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{ClientCAFile: ca.File, ClientAuth: auth}), HTTP3: true})
			srv.Seed()
			err := get(t, srv.URL, append(append(options, client.WithCA(ca.File)), version...)...)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, HTTP/3 %v: %v, want %q", auth, version != nil, err, want)
			}
		}
		f(certificate.Require, "", client.WithClientCertificate(cert, key))
		f(certificate.Optional, "", client.WithClientCertificate(cert, key))
		f(certificate.Optional, "")
		f(certificate.Require, "wants a certificate of its callers")
		f(certificate.Require, "does not know the authority that signed", client.WithClientCertificate(foreignCert, foreignKey))
		f(certificate.Optional, "does not know the authority that signed", client.WithClientCertificate(foreignCert, foreignKey))
	}
}

// A caller who mixes up http and https is told, on either side.
func TestWrongScheme(t *testing.T) {
	ca := servertest.NewAuthority(t)
	secure := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: ca.TLS(certificate.Options{})})
	plain := servertest.NewServer(t, server.Options{})
	for _, conn := range servertest.Connections() {
		err := get(t, "http://"+secure.Addr, conn.Options...)
		if err == nil || !strings.Contains(err.Error(), "speaks TLS") || !strings.Contains(err.Error(), "https://"+secure.Addr) {
			t.Errorf("%s: http to a port of TLS: %v", conn.Name, err)
		}
	}
	for _, protocol := range []client.Protocol{client.Connect, client.GRPC, client.GRPCWeb} {
		err := get(t, "https://"+plain.Addr, client.WithProtocol(protocol))
		if err == nil || !strings.Contains(err.Error(), "does not speak TLS on this port; write http://"+plain.Addr) {
			t.Errorf("%s: https to a port without: %v", protocol, err)
		}
	}
}

func TestBadTLSOptions(t *testing.T) {
	ca := servertest.NewAuthority(t)
	cert, key := ca.Client("me")
	f := func(target, want string, options ...client.Option) {
		t.Helper()
		if c, err := client.New(target, options...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", c, err, want)
		}
	}
	f("https://localhost:1", "no such file", client.WithCA("nowhere.pem"))
	f("https://localhost:1", "has no certificate in PEM form", client.WithCA(key))
	f("https://localhost:1", "64 hexadecimal digits", client.WithFingerprint("sha256:abc"))
	f("https://localhost:1", "needs its key", client.WithClientCertificate(cert, ""))
	f("https://localhost:1", "private key does not match", client.WithClientCertificate(ca.File, key))
	f("http://localhost:1", "write https://localhost:1", client.WithFingerprint("sha256:abc"))
	f("http://localhost:1", "write https://localhost:1", client.WithHTTP3())
	if _, err := client.New("https://localhost:1", client.WithTLS(&tls.Config{MinVersion: tls.VersionTLS13}), client.WithCA(ca.File)); err != nil {
		t.Error(err)
	}
}
