package listen_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/vitals-rpc/vitals/server/listen"
)

func open(t *testing.T, allowAnonymous bool, addresses ...string) ([]*listen.Listener, error) {
	t.Helper()
	listeners, err := listen.Open(context.Background(), listen.Options{Addresses: addresses, AllowAnonymous: allowAnonymous})
	t.Cleanup(func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	})
	if err != nil && listeners != nil {
		t.Errorf("listeners beside the error %v", err)
	}
	return listeners, err
}

func TestListenOnSeveral(t *testing.T) {
	listeners, err := open(t, false, "127.0.0.1:0", "127.0.0.1:0")
	if err != nil || len(listeners) != 2 || listeners[0].Addr().String() == listeners[1].Addr().String() {
		t.Errorf("%v, %v", listeners, err)
	}
}

func TestListenOnLocalhost(t *testing.T) {
	listeners, err := open(t, false, "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listeners[0].Addr().String())
	if err != nil || port == "0" {
		t.Fatalf("port %q, %v", port, err)
	}
	families := []string{"127.0.0.1"}
	if probe, err := new(net.ListenConfig).Listen(t.Context(), "tcp6", "[::1]:0"); err == nil {
		_ = probe.Close()
		families = append(families, "::1")
	}
	for _, ip := range families {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(ip, port))
		if err != nil {
			t.Errorf("localhost does not answer on %s: %v", ip, err)
			continue
		}
		_ = conn.Close()
	}
}

func TestListenOnTakenPort(t *testing.T) {
	first, err := open(t, false, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := first[0].Addr().String()
	_, err = open(t, false, "127.0.0.1:0", taken)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken+" is taken by another program") || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("%v", err)
	}
	// The one that could be bound must be free again.
	_, port, _ := net.SplitHostPort(taken)
	_, err = open(t, false, "localhost:"+port)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("localhost with a port taken on one family: %v", err)
	}
}

func TestListenRefusals(t *testing.T) {
	f := func(address string, texts ...string) {
		t.Helper()
		_, err := open(t, false, address)
		if err == nil {
			t.Errorf("%q: no error", address)
			return
		}
		for _, text := range append(texts, address) {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: %q does not say %q", address, err, text)
			}
		}
	}
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:50051"} {
		f(address, "not a loopback address", "--insecure-anonymous")
		if _, err := open(t, false, address); !errors.Is(err, listen.ErrNotLoopback) {
			t.Errorf("%q: %v is not ErrNotLoopback", address, err)
		}
	}
	f("localhost", "host:port", "localhost:50051")
	f("50051", "host:port")
	f("127.0.0.1:99999", "invalid port")
	f("127.0.0.1:http-alt-nope", "127.0.0.1")
	f("no-such-host.invalid:1", "no-such-host.invalid")
	f("::1:50051", "host:port")

	if listeners, err := open(t, true, "0.0.0.0:0"); err != nil || len(listeners) != 1 {
		t.Errorf("anonymous callers allowed: %v, %v", listeners, err)
	}
}
