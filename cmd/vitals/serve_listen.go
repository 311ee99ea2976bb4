package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
)

// selfSignedName is the file in the data folder that keeps the certificate of
// --tls-self-signed, and its key.
const selfSignedName = "tls-self-signed.pem"

// listenConfig is the part of serve's command line that says where callers come
// in.
type listenConfig struct {
	addresses         []string
	insecureAnonymous bool
	tls               certificate.Options
	selfSigned        bool
	clientAuth        string
	http3             bool
}

func (c *listenConfig) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&c.addresses, "listen", []string{"localhost:50051"}, "`address` to listen on, host:port; port 0 takes a free one; http:// before it leaves TLS out there; may be repeated")
	f.BoolVar(&c.insecureAnonymous, "insecure-anonymous", false, "let anyone who reaches the server read from it; needed for an address that is not loopback")
	f.StringVar(&c.tls.CertFile, "tls-cert", "", "`file` with the certificate to show, in PEM, intermediate ones after it; read again when it changes")
	f.StringVar(&c.tls.KeyFile, "tls-key", "", "`file` with its private key, in PEM; read again when it changes")
	f.BoolVar(&c.selfSigned, "tls-self-signed", false, "speak TLS with a certificate of the server's own making, kept in the data folder; its fingerprint is shown at the start, for --tls-fingerprint of callers")
	f.StringVar(&c.tls.ClientCAFile, "tls-client-ca", "", "`file` with the authorities, in PEM, of whose clients certificates are asked; read again when it changes")
	f.StringVar(&c.clientAuth, "tls-client-auth", string(certificate.Require), "with --tls-client-ca: require a certificate of every caller, or optional")
	f.BoolVar(&c.http3, "http3", false, "answer HTTP/3 too, on the same ports over UDP; needs TLS")
}

// entrance is where callers come in.
type entrance struct {
	listeners []*listen.Listener
	keeper    *certificate.Keeper // nil without TLS
	// selfSigned is the file of a certificate that callers have to be told of.
	selfSigned string
}

// open reads or makes the certificate and binds the addresses.
func (c *listenConfig) open(ctx context.Context, dataDir string, log *slog.Logger) (*entrance, error) {
	e := &entrance{}
	opts := listen.Options{Addresses: c.addresses, AllowAnonymous: c.insecureAnonymous, HTTP3: c.http3}
	if err := c.openTLS(e, dataDir, log); err != nil {
		return nil, err
	}
	if e.keeper != nil {
		opts.TLS = e.keeper.Config()
	}
	var err error
	if e.listeners, err = listen.Open(ctx, opts); errors.Is(err, listen.ErrNotLoopback) || errors.Is(err, listen.ErrHTTP3WithoutTLS) {
		return nil, usageError{err}
	}
	return e, err
}

func (c *listenConfig) openTLS(e *entrance, dataDir string, log *slog.Logger) error {
	if !c.selfSigned && c.tls.CertFile == "" && c.tls.KeyFile == "" {
		if c.tls.ClientCAFile != "" {
			return usageError{errors.New("--tls-client-ca needs TLS: give --tls-cert and --tls-key too")}
		}
		return nil
	}
	var err error
	if c.tls.ClientAuth, err = certificate.ParseClientAuth(c.clientAuth); err != nil {
		return usageError{err}
	}
	if c.selfSigned {
		c.tls.SelfSignedFile = filepath.Join(dataDir, selfSignedName)
		c.tls.Names = namesOf(c.addresses)
		e.selfSigned = c.tls.SelfSignedFile
	}
	c.tls.Logger = log
	e.keeper, err = certificate.Open(c.tls)
	return err
}

// namesOf are the hosts of listen addresses.
func namesOf(addresses []string) []string {
	var names []string
	for _, address := range addresses {
		if host, _, err := net.SplitHostPort(strings.TrimPrefix(address, "http://")); err == nil && host != "" {
			names = append(names, host)
		}
	}
	return names
}

// watch keeps the certificate up to date until ctx ends.
func (e *entrance) watch(ctx context.Context) {
	if e.keeper != nil {
		e.keeper.Watch(ctx)
	}
}

// announce says where the server is: to a person with a line to paste, to a log
// as a record.
func (e *entrance) announce(stderr io.Writer, log *slog.Logger, hostname string) {
	urls := e.urls()
	try := fmt.Sprintf(`curl %s-H 'Content-Type: application/json' -d '{"metricType":"cpu"}' %smonitoring.MonitoringService/GetMetric`, e.curlFlags(), urls[0])
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
		if u := scheme + "://" + displayAddress(l.Addr()) + "/"; !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// curlFlags are what curl needs to trust the first listener.
func (e *entrance) curlFlags() string {
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
