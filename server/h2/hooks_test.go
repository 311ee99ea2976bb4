package h2_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/vitals-rpc/vitals/server/h2"
)

// TestHooks fails when a new version of Go hands connections over in another way.
// What to do then: read net/http/server.go for TLSNextProto, the key
// "unencrypted_http2", UnencryptedNetConn and BaseContext, and change server.go
// and hooks.go here. Until that is done a server falls back to net/http's HTTP/2,
// and is correct but slow.
func TestHooks(t *testing.T) {
	const broken = "net/http no longer hands connections to this package: "
	type key struct{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "passed on" {
			t.Error(broken + "the handler's BaseContext() is gone")
		}
		if r.TLS != nil {
			w.Header().Set("X-Alpn", r.TLS.NegotiatedProtocol)
		}
	}
	set := func(hs *http.Server, _ *h2.Options) {
		hs.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, key{}, "passed on")
		}
	}
	t.Run("cleartext", func(t *testing.T) {
		if err := h2.TryHooks(patience); err != nil {
			t.Fatal(broken + err.Error())
		}
		s := start(t, handler, set)
		p := s.dial()
		p.head(1, true, "GET", "/")
		if got := p.status(1); got != "200" {
			t.Error(got)
		}
		if s.h2.Connections() != 1 {
			t.Error(broken + "the key " + "unencrypted_http2" + " is not used")
		}
	})
	t.Run("TLS", func(t *testing.T) {
		s, client := startTLS(t, handler, nil, set)
		res, err := client.Get(s.url)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.ProtoMajor != 2 || res.Header.Get("X-Alpn") != "h2" || s.h2.Connections() != 1 {
			t.Errorf("%s%s, ALPN %q, %d connections", broken, res.Proto, res.Header.Get("X-Alpn"), s.h2.Connections())
		}
	})
}

// startTLS is start over TLS, with what the server's TLS is to be otherwise.
func startTLS(t *testing.T, handler http.HandlerFunc, change func(*tls.Config), set ...func(*http.Server, *h2.Options)) (*server, *http.Client) {
	t.Helper()
	config, roots := selfSigned(t)
	if change != nil {
		change(config)
	}
	set = append(set, func(hs *http.Server, _ *h2.Options) {
		hs.TLSConfig = config
		hs.Protocols.SetHTTP2(true)
	})
	s := start(t, handler, set...)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.url = "https://" + s.addr
	done := make(chan struct{})
	go func() { defer close(done); _ = s.hs.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.hs.Close(); <-done })
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport, Timeout: patience}
}

func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h2", "http/1.1"}}, roots
}

// A TLS cipher that RFC 9113 forbids ends the connection, with the reason.
func TestForbiddenCipher(t *testing.T) {
	s, _ := startTLS(t, victim, func(c *tls.Config) {
		c.MaxVersion = tls.VersionTLS12
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	})
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	p := &peer{s: s, conn: conn, framer: http2.NewFramer(conn, conn)}
	p.must(conn.Write([]byte(http2.ClientPreface)))
	p.ok(p.framer.WriteSettings())
	p.wantGoAway(http2.ErrCodeInadequateSecurity, "cipher")
}

// A peer that says h2 by ALPN and something else then is not answered in HTTP/2.
func TestWrongPreface(t *testing.T) {
	s, _ := startTLS(t, victim, nil)
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes of answer", n)
	} else if strings.Contains(err.Error(), "timeout") {
		t.Error("the server keeps the connection")
	}
}

// A server whose handler is nil serves http.DefaultServeMux, as net/http does.
func TestDefaultHandler(t *testing.T) {
	s := start(t, nil)
	s.hs.Handler = nil
	if res, _ := s.do(s.request("GET", "/nothing-here", nil)); res.StatusCode != http.StatusNotFound {
		t.Error(res.Status)
	}
}
