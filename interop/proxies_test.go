package interop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/client"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/web"
)

// cutAfter is what the hour of the shipped configurations is scaled down to, and
// beat the server's heartbeat, which is to the one as 15 seconds are to the other at
// the worst.
const (
	cutAfter = 6 * time.Second
	beat     = time.Second
)

// proxied is a proxy with two servers behind it.
type proxied struct {
	first, second *servertest.Gate
	// http1 and h2c are the URLs for callers without TLS, tls the one with it.
	http1, h2c, tls string
	ca              string // PEM file to trust for tls
}

// client returns a client of the proxy, over TLS or not.
func (p *proxied) client(t *testing.T, conn servertest.Connection, secure bool, more ...client.Option) *client.Client {
	t.Helper()
	target := p.http1
	if conn.HTTP2 {
		target = p.h2c
	}
	options := append([]client.Option{client.WithTimeout(2 * servertest.Patience)}, conn.Options...)
	if secure {
		target = p.tls
		options = append(options, client.WithCA(p.ca))
	}
	c, err := client.New(target, append(options, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// proxies start each proxy that a configuration is shipped for.
var proxies = map[string]func(*testing.T) *proxied{"nginx": startNginx, "haproxy": startHAProxy}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	gate := func(name string) *servertest.Gate {
		srv := servertest.NewSeeded(t, server.Options{Hostname: name, Page: web.Handler(), Heartbeat: beat, InsecureAnonymous: true})
		srv.KeepWell() // HAProxy looks at that
		return servertest.NewGate(t, srv, "127.0.0.1:0")
	}
	return &proxied{first: gate("hub-1"), second: gate("hub-2")}
}

// fill makes a shipped configuration fit for this machine: the names of the servers,
// and what the test says.
func (p *proxied) fill(t *testing.T, file string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	changes = append(changes, "hub-1.example.com:50051", p.first.Front, "hub-2.example.com:50051", p.second.Front)
	out := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(out, changes[i]) {
			t.Fatalf("%s has no %q to change", file, changes[i])
		}
		out = strings.ReplaceAll(out, changes[i], changes[i+1])
	}
	return out
}

// write writes a file of the test's.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startNginx(t *testing.T) *proxied {
	nginx := tool(t, "nginx", "nginx-light")
	p, dir := newProxied(t), t.TempDir()
	http1, h2c, secure := freePort(t), freePort(t), freePort(t)
	p.http1, p.h2c, p.tls = "http://127.0.0.1:"+http1, "http://127.0.0.1:"+h2c, "https://localhost:"+secure
	cert, key := proxyCertificate(t, dir)
	p.ca = cert

	scaled := fmt.Sprintf("%ds", int(cutAfter.Seconds()))
	locations, err := os.ReadFile("../deploy/nginx/vitals-locations.conf")
	if err != nil {
		t.Fatal(err)
	}
	included := write(t, filepath.Join(dir, "vitals-locations.conf"), strings.ReplaceAll(string(locations), " 1h;", " "+scaled+";"))
	site := p.fill(t, "nginx/vitals.conf",
		"/etc/nginx/vitals-locations.conf", included,
		"/etc/ssl/certs/vitals.pem", cert, "/etc/ssl/private/vitals.key", key,
		"listen 50052", "listen 127.0.0.1:"+h2c, "listen 80", "listen 127.0.0.1:"+http1, "listen 443", "listen 127.0.0.1:"+secure)
	site = regexp.MustCompile(`(?m)^ *listen \[::\].*\n`).ReplaceAllString(site, "") // not every machine has IPv6
	var temps strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temps, "%s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	account := ""
	if os.Getuid() == 0 {
		account = "user root;" // its workers write to the test's folder
	}
	main := write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf("%s\ndaemon off;\nworker_processes 1;\npid %s/pid;\nerror_log stderr warn;\nevents { worker_connections 512; }\nhttp {\naccess_log off;\n%s\n%s\n}\n", account, dir, temps.String(), site))
	startProxy(t, http1, nginx, "-p", dir, "-e", "stderr", "-c", main)
	return p
}

func startHAProxy(t *testing.T) *proxied {
	haproxy := tool(t, "haproxy", "haproxy")
	p, dir := newProxied(t), t.TempDir()
	plain, secure := freePort(t), freePort(t)
	p.http1, p.tls = "http://127.0.0.1:"+plain, "https://localhost:"+secure
	p.h2c = p.http1
	cert, key := proxyCertificate(t, dir)
	p.ca = cert
	both := ""
	for _, file := range []string{cert, key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both += string(text)
	}
	pair := write(t, filepath.Join(dir, "vitals.pem"), both)
	scaled := fmt.Sprintf("%ds", int(cutAfter.Seconds()))
	config := write(t, filepath.Join(dir, "haproxy.cfg"), p.fill(t, "haproxy/haproxy.cfg",
		"/etc/haproxy/vitals.pem", pair, "bind :80", "bind 127.0.0.1:"+plain, "bind :443", "bind 127.0.0.1:"+secure,
		"timeout client 1h", "timeout client "+scaled, "timeout server 1h", "timeout server "+scaled))
	mustRun(t, dir, haproxy, "-c", "-f", config)
	startProxy(t, plain, haproxy, "-db", "-f", config)
	return p
}

// startProxy runs a proxy until the test ends, and waits until it listens.
func startProxy(t *testing.T, port, program string, args ...string) {
	t.Helper()
	var talk strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &talk, &talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), talk.String())
		}
	})
	servertest.Eventually(t, "the proxy listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", program, err, talk.String())
		default:
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// freePort finds a loopback port at which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// proxyCertificate makes one for localhost, signed by itself.
func proxyCertificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	secret, err2 := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return write(t, filepath.Join(dir, "cert.pem"), text("CERTIFICATE", cert)), write(t, filepath.Join(dir, "key.pem"), text("PRIVATE KEY", secret))
}

// within is a context for what a test does in a while.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
