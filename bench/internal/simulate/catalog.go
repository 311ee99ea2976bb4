package simulate

import (
	"fmt"
	"strconv"

	"github.com/vitals-rpc/vitals/metric"
)

// variants are the label sets that the series of a type have on a host, the
// first being the one that every host has.
func variants(t metric.Type) []metric.Labels {
	if len(t.Labels) == 0 {
		return []metric.Labels{nil}
	}
	switch t.Labels[0] {
	case "core":
		return numbered("core", "%d", 0, 64)
	case "mode":
		return named("mode", "user", "system", "iowait", "nice", "irq", "steal")
	case "resource":
		return []metric.Labels{
			metric.NewLabels("resource", "cpu", "kind", "some"), metric.NewLabels("resource", "io", "kind", "some"),
			metric.NewLabels("resource", "memory", "kind", "some"), metric.NewLabels("resource", "io", "kind", "full"),
			metric.NewLabels("resource", "memory", "kind", "full"), metric.NewLabels("resource", "cpu", "kind", "full"),
		}
	case "mount":
		return []metric.Labels{
			metric.NewLabels("mount", "/", "device", "/dev/nvme0n1p2"), metric.NewLabels("mount", "/var", "device", "/dev/nvme0n1p3"),
			metric.NewLabels("mount", "/srv/data", "device", "/dev/nvme1n1"), metric.NewLabels("mount", "/boot", "device", "/dev/nvme0n1p1"),
		}
	case "device":
		return numbered("device", "nvme%dn1", 0, 4)
	case "interface":
		return named("interface", "eth0", "lo", "eth1", "wg0")
	case "process":
		return named("process", "postgres", "java", "nginx", "node", "vitals", "sshd", "systemd-journal", "dockerd")
	case "sensor":
		return named("sensor", "coretemp package 0", "coretemp core 0", "coretemp core 1", "nvme composite")
	}
	return nil
}

func named(label string, values ...string) (all []metric.Labels) {
	for _, v := range values {
		all = append(all, metric.NewLabels(label, v))
	}
	return all
}

func numbered(label, format string, from, n int) (all []metric.Labels) {
	for i := range n {
		all = append(all, metric.NewLabels(label, fmt.Sprintf(format, from+i)))
	}
	return all
}

// kind is a series without its host.
type kind struct {
	name   string
	labels metric.Labels
	unit   string
}

// kinds chooses n series as a host has them: each built-in type once, in the
// order in which people read them, then two custom ones, then the built-in
// types' further labels, and custom counters for as many as are asked for.
func kinds(n int) (all []kind) {
	types := metric.Types()
	add := func(k kind) bool {
		if len(all) < n {
			all = append(all, k)
		}
		return len(all) < n
	}
	for place := range 64 {
		for _, t := range types {
			if v := variants(t); place < len(v) && !add(kind{t.Name, v[place], string(t.Unit)}) {
				return all
			}
		}
		if place < 2 {
			add(kind{"queue_depth", metric.NewLabels("queue", "queue-"+strconv.Itoa(place)), "count"})
		}
		if !add(custom(place)) {
			return all
		}
	}
	for i := 64; add(custom(i)); i++ {
	}
	return all
}

// custom is one of a service's own counters.
func custom(i int) kind {
	status := []string{"200", "404", "500"}[i%3]
	return kind{"http_requests_total", metric.NewLabels("route", "/v1/route-"+strconv.Itoa(i/3), "status", status), "count"}
}
