package listen_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/listen"
)

func openUnix(t *testing.T, path string, mode fs.FileMode) ([]*listen.Listener, error) {
	t.Helper()
	listeners, err := listen.Open(context.Background(), listen.Options{Addresses: []string{"unix:" + path}, SocketMode: mode})
	t.Cleanup(func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	})
	return listeners, err
}

func TestUnixSocketMode(t *testing.T) {
	f := func(mode, want fs.FileMode) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "v.sock")
		listeners, err := openUnix(t, path, mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode %v gives %v, %v", mode, info.Mode(), err)
		}
		_ = listeners[0].Close()
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket is there after Close")
		}
	}
	f(0, 0o600)
	f(0o660, 0o660)
	f(0o666, 0o666)
}

// left makes a socket that nobody answers on, as a killed server leaves it.
func left(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
}

func TestUnixSocketLeftOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.sock")
	left(t, path)
	if _, err := openUnix(t, path, 0); err != nil {
		t.Errorf("a socket that nobody answers on: %v", err)
	}
	if _, err := openUnix(t, path, 0); err == nil || !strings.Contains(err.Error(), "is taken by another program that answers there") {
		t.Errorf("a socket that somebody answers on: %v", err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first is gone: %v", err)
	} else {
		_ = conn.Close()
	}
}

func TestUnixSocketRefusals(t *testing.T) {
	dir := t.TempDir()
	f := func(path, want string) {
		t.Helper()
		if _, err := openUnix(t, path, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("unix:%s: %v, want %q", path, err, want)
		}
	}
	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(file, "no socket")
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("a file that is no socket became %q, %v", text, err)
	}
	f("", "names no path")
	f(filepath.Join(dir, "nowhere", "v.sock"), "its folder does not exist")
	f(filepath.Join(dir, strings.Repeat("x", 120)), "103 bytes at most")
}
