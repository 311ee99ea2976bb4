// Package peer fetches the programs beside which Vitals is measured, into a
// cache folder and never into the system.
package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// nodeExporter is the version that is measured.
const nodeExporter = "github.com/prometheus/node_exporter@v1.12.1"

// Debian returns the program of a Debian package, which is downloaded and
// unpacked unless it was before.
func Debian(ctx context.Context, cache, pkg, program string) (string, error) {
	dir := filepath.Join(cache, pkg)
	path := filepath.Join(dir, program)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // programs, no secrets; apt's own user reads it
		return "", err
	}
	script := `apt-get download "$1" >&2 && dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb`
	cmd := exec.CommandContext(ctx, "sh", "-c", script, "sh", pkg) //nolint:gosec // our own package names
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("package %s of Debian cannot be had here (%w): %s", pkg, err, out)
	}
	return path, nil
}

// NodeExporter builds node_exporter through the Go module proxy, unless it was
// before.
func NodeExporter(ctx context.Context, cache string) (string, error) {
	path := filepath.Join(cache, "node_exporter")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", nodeExporter)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOBIN="+cache, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s cannot be built (%w): %s", nodeExporter, err, out)
	}
	return path, nil
}
