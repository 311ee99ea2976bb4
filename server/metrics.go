package server

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/vitals-rpc/vitals/server/admission"
	"github.com/vitals-rpc/vitals/server/fleet"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/store"
)

// registerMetrics registers what the server says of itself at /metrics, beside
// the metrics of calls and those of the TSDB.
func (s *Server) registerMetrics() {
	s.registerHTTP2Errors()
	s.metrics.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("grpc_streams_open", "Streaming calls that run now.",
			func() float64 { return float64(s.streams.Open()) }),
		gauge("vitals_calls_at_work", "Unary calls that are at work, their requests read.",
			func() float64 { return float64(s.admission.Gate.AtWork()) }),
		gauge("vitals_refusals_held", "Refusals that are held back, so that their callers do nothing else meanwhile.",
			func() float64 { return float64(s.admission.Held()) }),
		gauge("vitals_callers", "Callers that are told apart for their bounds.",
			func() float64 { return float64(s.admission.Gate.Callers()) }),
		gauge("vitals_connections_open", "Connections that are open now, from before their TLS handshake on.",
			func() float64 { return s.sumConnections((*listen.Connections).Open) }),
		counter("vitals_live_dropped_samples_total", "Samples that readers of live streams lost because they were behind.", s.hub.Dropped),
		counter("vitals_live_overflows_total", "How often the queue of a live stream overflowed: its reader lost the oldest samples and was told.", s.hub.Overflows),
		s.refusedConnections(listen.TooMany),
		s.refusedConnections(listen.TooManyOfAddress),
		s.historyMetrics(),
	)
	for _, reason := range admission.Reasons() {
		s.metrics.MustRegister(refused(reason, func() int64 { return s.admission.Gate.Refused(reason) }))
	}
	s.metrics.MustRegister(refused("streams_in_all", s.streams.Refused))
	s.metrics.MustRegister(refused(admission.TooManyFailures, s.opts.Accounts.RefusedSignIns))
}

// oneAtATime answers one request after the other. To gather the metrics takes a
// goroutine for each, so that many at once leave no processor to anyone else.
func oneAtATime(next http.Handler) http.Handler {
	var turn sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		next.ServeHTTP(w, r)
	})
}

// registerHTTP2Errors counts what callers did against HTTP/2's rules.
func (s *Server) registerHTTP2Errors() {
	s.http2Errors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vitals_http2_errors_total",
		Help: "Connections (conn_) and streams (stream_) of HTTP/2 that were ended because of what the caller did, by RFC 9113's error code; floods are ENHANCE_YOUR_CALM.",
	}, []string{"error"})
	s.metrics.MustRegister(s.http2Errors)
}

// mostHTTP2Error is longer than any of these names, which are few.
const mostHTTP2Error = 64

func (s *Server) countHTTP2Error(name string) {
	if len(name) < mostHTTP2Error && !strings.Contains(name, "unknown") {
		s.http2Errors.WithLabelValues(name).Inc()
	}
}

func counter(name, help string, count func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(count()) })
}

func refused(bound admission.Reason, count func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name:        "vitals_admission_refused_total",
		Help:        "Calls refused because a bound is reached, by which.",
		ConstLabels: prometheus.Labels{"bound": string(bound)},
	}, func() float64 { return float64(count()) })
}

func (s *Server) refusedConnections(bound listen.Reason) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name:        "vitals_connections_refused_total",
		Help:        "Connections closed at once because a bound is reached, by which.",
		ConstLabels: prometheus.Labels{"bound": string(bound)},
	}, func() float64 {
		return s.sumConnections(func(c *listen.Connections) int { return int(c.Refused(bound)) })
	})
}

// countConnections has the connections of listeners counted. Listeners that were
// opened together have one count.
func (s *Server) countConnections(listeners []*listen.Listener) {
	var counts []*listen.Connections
	for _, l := range listeners {
		if !slices.Contains(counts, l.Connections) {
			counts = append(counts, l.Connections)
		}
	}
	s.connections.Store(&counts)
}

func (s *Server) sumConnections(of func(*listen.Connections) int) float64 {
	sum := 0
	if counts := s.connections.Load(); counts != nil {
		for _, c := range *counts {
			sum += of(c)
		}
	}
	return float64(sum)
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// historyMetrics are those of the history and of the hosts. What a scrape says of them
// is of one moment.
type historyMetrics struct {
	stats func() store.Stats
	hosts func(prefix string) []fleet.Host

	samples, hostCount, series, bytes, full, repairs *prometheus.Desc
}

func (s *Server) historyMetrics() *historyMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &historyMetrics{
		stats:     s.store.Stats,
		hosts:     s.fleet.Hosts,
		samples:   desc("vitals_samples_total", "Samples that reached the history, by what became of them.", "result"),
		hostCount: desc("vitals_hosts", "Hosts that have ever reported, by status.", "status"),
		series:    desc("vitals_store_series", "Series with samples in memory."),
		bytes:     desc("vitals_store_bytes", "Size on disk of each tier of history; raw without its newest hours.", "tier"),
		full:      desc("vitals_store_full", "1 while writes are refused because the disk is full."),
		repairs:   desc("vitals_store_log_repairs_total", "How often a damaged write-ahead log was repaired since the server started."),
	}
}

// Describe implements [prometheus.Collector].
func (m *historyMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.samples, m.hostCount, m.series, m.bytes, m.full, m.repairs} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *historyMetrics) Collect(ch chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	st := m.stats()
	put(m.samples, prometheus.CounterValue, float64(st.Stored), "stored")
	put(m.samples, prometheus.CounterValue, float64(st.Duplicates), "duplicate")
	put(m.samples, prometheus.CounterValue, float64(st.Rejected), "rejected")
	put(m.series, prometheus.GaugeValue, float64(st.Series))
	put(m.bytes, prometheus.GaugeValue, float64(st.RawBlockBytes), "raw")
	put(m.bytes, prometheus.GaugeValue, float64(st.MinuteBytes), "minute")
	put(m.bytes, prometheus.GaugeValue, float64(st.HourBytes), "hour")
	full := 0.0
	if st.Full {
		full = 1
	}
	put(m.full, prometheus.GaugeValue, full)
	put(m.repairs, prometheus.CounterValue, float64(st.LogRepairs))
	hosts := map[fleet.Status]int{}
	for _, h := range m.hosts("") {
		hosts[h.Status]++
	}
	for status, name := range map[fleet.Status]string{fleet.Up: "up", fleet.Stale: "stale", fleet.Down: "down"} {
		put(m.hostCount, prometheus.GaugeValue, float64(hosts[status]), name)
	}
}
