package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
)

// announce says where the server is: to a person with a line to paste, to a log
// as a record.
func (e *entrance) announce(stderr io.Writer, log *slog.Logger, hostname string) {
	urls := e.urls()
	try := fmt.Sprintf(`curl %s-H 'Content-Type: application/json' -d '{"metricType":"cpu"}' %smonitoring.MonitoringService/GetMetric`, e.curlFlags(), e.curlURL())
	var fingerprint string
	if e.keeper != nil {
		fingerprint = e.keeper.Fingerprint().String()
	}
	if !isTerminal(stderr) {
		attrs := []any{"version", version(), "hostname", hostname, "page", urls, "try", try}
		if fingerprint != "" {
			attrs = append(attrs, "tls_fingerprint", fingerprint, "tls_expires", e.keeper.Leaf().NotAfter)
		}
		log.Info("serving", attrs...)
		return
	}
	fmt.Fprintf(stderr, "Vitals %s measures %s\n", version(), hostname)
	for _, u := range urls {
		fmt.Fprintf(stderr, "  page  %s\n", u)
	}
	fmt.Fprintf(stderr, "  try   %s\n", try)
	if fingerprint != "" {
		fmt.Fprintf(stderr, "  pin   --tls-fingerprint %s\n", fingerprint)
	}
}

// urls are the listeners' URLs, each once.
func (e *entrance) urls() []string {
	var urls []string
	for _, l := range e.listeners {
		scheme := "http"
		if l.TLS != nil {
			scheme = "https"
		}
		u := scheme + "://" + displayAddress(l.Addr()) + "/"
		if l.Addr().Network() == "unix" {
			u = "unix:" + l.Addr().String()
		}
		if !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// curlURL is the first listener's URL as curl takes it.
func (e *entrance) curlURL() string {
	if e.listeners[0].Addr().Network() == "unix" {
		return "http://localhost/"
	}
	return e.urls()[0]
}

// curlFlags are what curl needs to trust the first listener.
func (e *entrance) curlFlags() string {
	if first := e.listeners[0].Addr(); first.Network() == "unix" {
		return "--unix-socket " + first.String() + " "
	}
	if path := e.selfSigned; path != "" && e.listeners[0].TLS != nil {
		return "--cacert " + path + " "
	}
	return ""
}

// displayAddress is the address as a person would type it.
func displayAddress(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	if tcp.IP.IsLoopback() || tcp.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return tcp.String()
}
