package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/process"
)

// The stores beside which Vitals is measured.
const (
	victoriaName   = "VictoriaMetrics"
	prometheusName = "Prometheus"
)

// receivers are the stores that take remote writes, as far as they can be had
// here; which cannot is said on stderr and in the head of the result.
func (b *bench) receivers(ctx context.Context) (found []target) {
	if path := b.program(ctx, victoriaName, "victoria-metrics", "usr/bin/victoria-metrics"); path != "" {
		found = append(found, target{name: victoriaName, start: func(ctx context.Context, cores int, dir string) (*running, error) {
			return startPeer(ctx, cores, path, "/health", func(addr string) []string {
				return []string{"-storageDataPath=" + dir, "-httpListenAddr=" + addr, "-retentionPeriod=1y", "-loggerLevel=ERROR"}
			})
		}, load: peerLoad(remoteWritePath), counter: `vm_rows_inserted_total{type="promremotewrite"}`})
	}
	if path := b.program(ctx, prometheusName, "prometheus", "usr/bin/prometheus"); path != "" {
		found = append(found, target{name: prometheusName, start: func(ctx context.Context, cores int, dir string) (*running, error) {
			config := filepath.Join(dir, "prometheus.yml")
			if err := os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600); err != nil {
				return nil, err
			}
			return startPeer(ctx, cores, path, "/-/ready", func(addr string) []string {
				return []string{
					"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + addr,
					"--web.enable-remote-write-receiver", "--web.enable-admin-api", "--log.level=error",
				}
			})
		}, load: peerLoad(remoteWritePath), counter: "prometheus_tsdb_head_samples_appended_total"})
	}
	return found
}

// remoteWritePath is where both take remote writes.
const remoteWritePath = "/api/v1/write"

// program is the path of a peer's program of a Debian package, or empty, which is
// noted, when it cannot be had here.
func (b *bench) program(ctx context.Context, name, pkg, program string) string {
	path, version, err := peer.Debian(ctx, b.cache, program, pkg)
	if err != nil {
		b.logf("    %v", err)
		version, path = "cannot be had here", ""
	}
	b.note(name, version)
	return path
}

// note puts a peer's version, or its absence, into the head of the result.
func (b *bench) note(name, version string) {
	b.versions[name] = version
}

func startPeer(ctx context.Context, cores int, path, ready string, args func(addr string) []string) (*running, error) {
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	r := &running{url: "http://" + addr}
	if r.Process, err = process.Start(ctx, cores, path, args(addr)...); err != nil {
		return nil, err
	}
	if err := r.Ready(ctx, r.url+ready); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}
