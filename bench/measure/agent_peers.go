package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/vitals-rpc/vitals/bench/internal/peer"
	"github.com/vitals-rpc/vitals/bench/internal/process"
)

// exporterCollectors are the collectors of node_exporter that measure what the
// agent does, as far as it has them. None reads every process, which the agent
// does every five seconds.
var exporterCollectors = []string{"cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "pressure", "stat"}

// collectors starts the agent's peers, as far as they can be had here; which
// cannot is said on stderr and in the head of the result.
func (b *bench) collectors(ctx context.Context, dir string) (found []*collector) {
	for _, which := range []struct {
		name  string
		start func(ctx context.Context, dir string) (c *collector, version string, err error)
	}{{"node_exporter", b.nodeExporter}, {"Netdata", b.netdata}, {"Glances", b.glances}} {
		c, version, err := which.start(ctx, filepath.Join(dir, which.name))
		if err != nil {
			b.logf("    %v", err)
			version = "cannot be had here"
		} else {
			c.name = which.name
			found = append(found, c)
		}
		b.note(which.name, version)
	}
	return found
}

// nodeExporter is asked each second, as a Prometheus does.
func (b *bench) nodeExporter(ctx context.Context, _ string) (*collector, string, error) {
	path, version, err := peer.NodeExporter(ctx, b.cache)
	if err != nil {
		return nil, "", err
	}
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	args := []string{"--web.listen-address=" + addr, "--collector.disable-defaults", "--web.disable-exporter-metrics", "--log.level=error"}
	for _, c := range exporterCollectors {
		args = append(args, "--collector."+c)
	}
	p, err := process.Start(ctx, 0, path, args...)
	if err != nil {
		return nil, "", err
	}
	url := "http://" + addr + "/metrics"
	if err := p.Ready(ctx, url); err != nil {
		p.Stop()
		return nil, "", err
	}
	asking, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); scrape(asking, url) }()
	return &collector{
		Process: p, stop: func() { stop(); <-ended },
		samples: func(ctx context.Context) (float64, error) { return countSamples(ctx, url) },
	}, version, nil
}

// scrape asks each second until ctx ends. Whether it is answered, countSamples finds
// out in the end.
func scrape(ctx context.Context, url string) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		_, _ = countSamples(ctx, url)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// countSamples gets the samples in Prometheus' text form, which the transport asks
// for in gzip, and counts them.
func countSamples(ctx context.Context, url string) (n float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	text, _, err := timed(req)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("%s has no samples", url)
	}
	return n, lines.Err()
}

// netdataConfig lets Netdata run from where it was unpacked, with its plugins as
// they are by default.
const netdataConfig = `[global]
	hostname = bench
	run as user = %[4]s
[directories]
	config = %[1]s
	stock config = %[2]s/usr/lib/netdata/conf.d
	log = %[1]s
	cache = %[1]s
	lib = %[1]s
	web = %[1]s
	home = %[1]s
	plugins = %[2]s/usr/lib/netdata/plugins.d
[web]
	bind to = %[3]s
`

// netdata measures by itself each second and keeps an hour or so.
func (b *bench) netdata(ctx context.Context, dir string) (*collector, string, error) {
	path, version, err := peer.Debian(ctx, b.cache, "usr/sbin/netdata", "netdata-core", "libuv1")
	if err != nil {
		return nil, "", err
	}
	addr, err := process.FreeAddress()
	if err != nil {
		return nil, "", err
	}
	root := filepath.Join(b.cache, "netdata-core")
	config := filepath.Join(dir, "netdata.conf")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	me, err := user.Current()
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, netdataConfig, dir, root, addr, me.Username), 0o600); err != nil {
		return nil, "", err
	}
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil || len(libraries) == 0 {
		return nil, "", errors.Join(errors.New("libuv1 was unpacked without its library"), err)
	}
	p, err := process.Start(ctx, 0, "env", "LD_LIBRARY_PATH="+libraries[0], path, "-D", "-c", config, "-P", filepath.Join(dir, "pid"))
	if err != nil {
		return nil, "", err
	}
	if err := p.Ready(ctx, "http://"+addr+"/api/v1/info"); err != nil {
		p.Stop()
		return nil, "", err
	}
	return &collector{
		Process: p, stop: func() {},
		samples: func(ctx context.Context) (float64, error) {
			return countSamples(ctx, "http://"+addr+"/api/v1/allmetrics?format=prometheus")
		},
	}, version, nil
}

// glances measures by itself each second and writes a line of CSV.
func (b *bench) glances(ctx context.Context, dir string) (*collector, string, error) {
	_, version, err := peer.Debian(ctx, b.cache, "usr/bin/glances", "glances", "python3-psutil", "python3-defusedxml", "python3-packaging", "python3-ujson", "libdouble-conversion3")
	if err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	root, out := filepath.Join(b.cache, "glances"), filepath.Join(dir, "glances.csv")
	p, err := process.Start(ctx, 0, "env", "HOME="+dir, "PYTHONPATH="+filepath.Join(root, "usr/lib/python3/dist-packages"),
		"python3", "-m", "glances", "--quiet", "--time", "1", "--export", "csv", "--export-csv-file", out)
	return &collector{
		Process: p, stop: func() {},
		samples: func(context.Context) (float64, error) { return countColumns(out) },
	}, version, err
}

// countColumns counts the values of each line of a CSV file that has some.
func countColumns(path string) (float64, error) {
	f, err := os.Open(path) //nolint:gosec // our own file
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // only read from
	lines := csv.NewReader(f)
	head, err := lines.Read()
	if err != nil {
		return 0, err
	}
	if _, err := lines.Read(); err != nil {
		return 0, fmt.Errorf("no line of values: %w", err)
	}
	return float64(len(head) - 1), nil // the first is the time
}
