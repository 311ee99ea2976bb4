// Package peer fetches the programs beside which Vitals is measured, into a
// cache folder and never into the system.
package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nodeExporter is the version that is measured.
const nodeExporter = "github.com/prometheus/node_exporter@v1.12.1"

// versionFile is where the version of a package is kept, beside what was unpacked.
const versionFile = "version"

// Debian returns the program of a Debian package and the package's version. It is
// downloaded and unpacked unless it was before; further packages are unpacked
// over it, for what the program needs and the system may not have.
func Debian(ctx context.Context, cache, program, pkg string, more ...string) (path, version string, err error) {
	dir := filepath.Join(cache, pkg)
	path = filepath.Join(dir, program)
	if text, err := os.ReadFile(filepath.Join(dir, versionFile)); err == nil {
		return path, strings.TrimSpace(string(text)), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // programs, no secrets; apt's own user reads it
		return "", "", err
	}
	script := `set -e
apt-get download "$@" >&2
for deb in *.deb; do dpkg-deb -x "$deb" .; done
dpkg-deb -f "$1"_*.deb Version > version.tmp
rm -- *.deb
mv version.tmp version`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh", pkg}, more...)...) //nolint:gosec // our own package names
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("package %s of Debian cannot be had here (%w): %s", pkg, err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, versionFile))
	return path, strings.TrimSpace(string(text)), err
}

// NodeExporter builds node_exporter through the Go module proxy, unless it was
// before, and returns its path and version.
func NodeExporter(ctx context.Context, cache string) (path, version string, err error) {
	path = filepath.Join(cache, "node_exporter")
	_, version, _ = strings.Cut(nodeExporter, "@")
	if _, err := os.Stat(path); err == nil {
		return path, version, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", nodeExporter)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOBIN="+cache, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("%s cannot be built (%w): %s", nodeExporter, err, out)
	}
	return path, version, nil
}
