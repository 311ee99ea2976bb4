package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveFlags are those that each server of these tests has.
func serveFlags(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{"--hostname", "server01", "--data-dir", t.TempDir()}, more...)
}

func hostOf(t *testing.T, page string) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestServe(t *testing.T) {
	p, pages := serving(t, serveFlags(t, "--listen", "localhost:0", "--listen", "127.0.0.1:0")...)
	if len(pages) != 2 || pages[0] == pages[1] || strings.HasSuffix(pages[0], ":0") {
		t.Fatalf("serving at %q", pages)
	}
	eventually(t, "the first sample", func() bool { return vitals(t, "get", "--server", pages[0]).code == 0 })
	for _, page := range pages {
		vitals(t, "get", "memory", "--server", page, "-o", "json").want(t, 0, `"hostname":"server01"`, "")
		vitals(t, "health", "--server", page).want(t, 0, "is running", "")
	}
	page, err := http.Get(pages[0] + "/")
	if err != nil || page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page: %v, %v", page, err)
	} else {
		_ = page.Body.Close()
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d after SIGTERM:\n%s", code, p.text())
	}
}

func TestServeRefusals(t *testing.T) {
	_, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0")...)
	taken := hostOf(t, pages[0])
	vitals(t, append([]string{"serve"}, serveFlags(t, "--listen", taken)...)...).want(t, 1, "", taken+" is taken by another program")
	vitals(t, append([]string{"serve"}, serveFlags(t, "--listen", "0.0.0.0:0")...)...).want(t, 2, "", "--insecure-anonymous")
	vitals(t, append([]string{"serve"}, serveFlags(t, "--listen", "nonsense")...)...).want(t, 1, "", "host:port")
	vitals(t, append([]string{"serve"}, serveFlags(t, "stray")...)...).want(t, 2, "", "stray")
	vitals(t, "health", "--server", pages[0]) // the first goes on
}

// TestServeThatFailsLeavesNoSocket: whatever is wrong after the ports are bound.
func TestServeThatFailsLeavesNoSocket(t *testing.T) {
	f := func(code int, stderr string, more ...string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "v.sock")
		vitals(t, append([]string{"serve", "--listen", "unix:" + path}, serveFlags(t, more...)...)...).want(t, code, "", stderr)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: the socket: %v", more, err)
		}
	}
	f(2, "loopback only", "--debug-listen", "0.0.0.0:0")
	f(2, "origin", "--allow-origin", "nonsense")
	f(2, "tag", "--tag", "nonsense")
}

// hold begins a call and does not end it, so that a drain has to wait for it.
func hold(t *testing.T, page string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", hostOf(t, page))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprint(conn, "POST /monitoring.MonitoringService/GetMetric HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0", "--shutdown-timeout", "1h")...)
		eventually(t, "the first sample", func() bool { return vitals(t, "get", "--server", pages[0]).code == 0 })
		watch := start(t, true, "watch", "--server", pages[0])
		watch.next("server01")
		hold(t, pages[0])
		p.signal(sig)
		p.next(`"msg":"stopping"`)
		select {
		case <-p.ended:
			t.Fatalf("%v did not wait for the call that ran:\n%s", sig, p.text())
		case <-time.After(300 * time.Millisecond):
		}
		begin := time.Now()
		p.signal(sig)
		p.wait()
		if took := time.Since(begin); took > patience/2 {
			t.Errorf("the second %v took %v", sig, took)
		}
	}
}

func TestDrainIsBounded(t *testing.T) {
	p, pages := serving(t, serveFlags(t, "--listen", "127.0.0.1:0", "--shutdown-timeout", "300ms")...)
	hold(t, pages[0])
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	if code, took := p.wait(), time.Since(begin); code != 0 || took > 10*time.Second {
		t.Errorf("exit %d after %v:\n%s", code, took, p.text())
	}
}

func TestWatchSurvivesRestart(t *testing.T) {
	flags := serveFlags(t, "--listen", "127.0.0.1:0")
	first, pages := serving(t, flags...)
	eventually(t, "the first sample", func() bool { return vitals(t, "get", "--server", pages[0]).code == 0 })
	watch := start(t, true, "watch", "-o", "json", "--server", pages[0])
	watch.next(`"hostname":"server01"`)
	first.signal(syscall.SIGTERM)
	if code := first.wait(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	for len(watch.lines) > 0 {
		<-watch.lines
	}
	serving(t, append(flags, "--listen", hostOf(t, pages[0]))...)
	watch.next(`"hostname":"server01"`)
	watch.signal(syscall.SIGINT)
	if code := watch.wait(); code != 0 {
		t.Errorf("Ctrl-C on watch: exit %d", code)
	}
}
