package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/gen/monitoring"
)

// TestSocketActivation lets systemd's own program bind the sockets and start the
// server with the first caller.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Fatal("systemd-socket-activate is needed: install Debian's package systemd")
	}
	address, socket := freeAddress(t), filepath.Join(t.TempDir(), "v.sock")
	p := newProcess(t, "the activated server", activate, nil, "--listen", address, "--listen", socket,
		binary, "serve", "--data-dir", t.TempDir(), "--hostname", "activated")
	p.start()
	eventually(t, "the sockets are bound", func() bool {
		conn, err := net.Dial("unix", socket) // this also starts the server
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	for _, target := range []string{address, "unix:" + socket} {
		eventually(t, target+" answers", func() bool {
			res, err := newClient(t, target).Monitoring().GetMetric(t.Context(), &monitoring.MetricRequest{})
			return err == nil && res.GetHostname() == "activated"
		})
	}
	// The default of --listen is not bound besides.
	if !p.log.says("msg", "serving", address[strings.LastIndex(address, ":"):]) || p.log.says("serving", "localhost:50051") {
		t.Errorf("%s", p.log)
	}
	if code, _ := p.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("the socket, which is systemd's, is gone: %v", err)
	}
}
