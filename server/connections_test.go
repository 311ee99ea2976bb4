package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// stranger is an address of this machine that has bounds, as 127.0.0.1 has none.
const stranger = "127.0.0.2"

// dialFrom connects from an address.
func dialFrom(t *testing.T, from, to string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(servertest.Patience))
	return conn
}

// wantCut waits until the server ends a connection.
func wantCut(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a connection is not cut within %s", servertest.Patience)
	}
}

// wantServed makes a call on a connection and leaves it open.
func wantServed(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the answer is %s", res.Status)
	}
}

// wantRefused connects where there may be no more connections: it is cut at once,
// perhaps before the caller knows that it stood.
func wantRefused(t *testing.T, from, to string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: servertest.Patience}
	if conn, err := dialer.DialContext(t.Context(), "tcp", to); err == nil {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(servertest.Patience))
		wantCut(t, conn)
	}
}

// wantOpen waits until so many connections are open, beside that of who asks.
func wantOpen(t *testing.T, srv *servertest.Server, want int) {
	t.Helper()
	text := "\nvitals_connections_open " + strconv.Itoa(want+1) + "\n"
	servertest.Eventually(t, "connections open: "+strconv.Itoa(want), func() bool {
		conn := dialFrom(t, "127.0.0.1", srv.Addr)
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		metrics, err := io.ReadAll(conn)
		return err == nil && strings.Contains(string(metrics), text)
	})
}

func TestConnectionsOfAnAddress(t *testing.T) {
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{MaxConnectionsPerAddress: 2})
	first, second := dialFrom(t, stranger, srv.Addr), dialFrom(t, stranger, srv.Addr)
	wantServed(t, first)
	wantServed(t, second)
	wantRefused(t, stranger, srv.Addr)
	// Others are served, and so are many programs on this machine.
	wantServed(t, dialFrom(t, "127.0.0.3", srv.Addr))
	for range 4 {
		wantServed(t, dialFrom(t, "127.0.0.1", srv.Addr))
	}
	wantOpen(t, srv, 2+1+4)
	_ = first.Close()
	wantOpen(t, srv, 1+1+4)
	if n := gauge(t, srv, `vitals_connections_refused_total{bound="address"}`); n != 1 {
		t.Errorf("%v are counted as refused, want 1", n)
	}
	wantServed(t, dialFrom(t, stranger, srv.Addr))
}

func TestConnectionsInAll(t *testing.T) {
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{MaxConnections: 3})
	gauge(t, srv, "vitals_connections_open") // whose connection stays
	first := dialFrom(t, "127.0.0.1", srv.Addr)
	wantServed(t, first)
	wantServed(t, dialFrom(t, stranger, srv.Addr))
	for range 3 {
		wantRefused(t, "127.0.0.1", srv.Addr)
	}
	_ = first.Close()
	servertest.Eventually(t, "there is room again", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Addr)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(servertest.Patience))
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, err = conn.Read(make([]byte, 1))
		return err == nil
	})
}

// What a trusted proxy passes on counts for whom it names, and a proxy that names
// nobody has no bound.
func TestConnectionsByProxy(t *testing.T) {
	trusted := proxies(t, stranger)
	srv := servertest.NewServerOn(t, server.Options{TrustedProxies: trusted}, listen.Options{Proxies: trusted, MaxConnectionsPerAddress: 1})
	named := func() net.Conn {
		conn := dialFrom(t, stranger, srv.Addr)
		if _, err := conn.Write(proxyHeader(t, 2)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first := named()
	wantServed(t, first)
	second := named()
	_, _ = io.WriteString(second, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if n, err := second.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a second connection of the caller behind the proxy is served: %d, %v", n, err)
	}
	for range 3 {
		wantServed(t, dialFrom(t, stranger, srv.Addr))
	}
	_ = first.Close()
	wantOpen(t, srv, 3)
	wantServed(t, named())
}

// Who never ends its TLS handshake is cut, and counts meanwhile.
func TestHandshakeThatStalls(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t)
	srv := servertest.NewServerOn(t, server.Options{ReadHeaderTimeout: 2 * time.Second},
		listen.Options{TLS: ca.TLS(certificate.Options{}), MaxConnectionsPerAddress: 2})
	silent, halfway := dialFrom(t, stranger, srv.Addr), dialFrom(t, stranger, srv.Addr)
	if _, err := halfway.Write([]byte{0x16, 3, 1, 2, 0, 1}); err != nil { // a record's head and the first byte of a hello
		t.Fatal(err)
	}
	wantRefused(t, stranger, srv.Addr) // beyond the bound
	wantCut(t, silent)
	wantCut(t, halfway)
	secure := tls.Client(dialFrom(t, stranger, srv.Addr), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
	wantServed(t, secure)
}

func TestConnectionsOverQUIC(t *testing.T) {
	ca := servertest.NewAuthority(t)
	config := ca.TLS(certificate.Options{})
	srv := servertest.NewServerOn(t, server.Options{}, listen.Options{TLS: config, HTTP3: true, MaxConnectionsPerAddress: 1})
	call := func() (*http3.Transport, error) {
		transport := &http3.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13},
			Dial: func(ctx context.Context, addr string, config *tls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
				local, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(stranger)})
				if err != nil {
					return nil, err
				}
				t.Cleanup(func() { _ = local.Close() })
				to, err := net.ResolveUDPAddr("udp", addr)
				if err != nil {
					return nil, err
				}
				return quic.DialEarly(ctx, local, to, config, quicConfig)
			},
		}
		t.Cleanup(func() { _ = transport.Close() })
		res, err := (&http.Client{Transport: transport, Timeout: servertest.Patience}).Get(srv.URL + "/healthz")
		if err == nil {
			_ = res.Body.Close()
		}
		return transport, err
	}
	first, err := call()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(); err == nil {
		t.Error("a second connection of the address is served")
	}
	_ = first.Close()
	servertest.Eventually(t, "there is room again", func() bool { _, err := call(); return err == nil })
}
