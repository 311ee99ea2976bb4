package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/peer"
)

// selfSignedName is the file in the data folder that keeps the certificate of
// --tls-self-signed, and its key.
const selfSignedName = "tls-self-signed.pem"

// listenConfig is the part of serve's command line that says where callers come
// in.
type listenConfig struct {
	addresses         []string
	addressesSet      func() bool // by the operator
	insecureAnonymous bool
	accountsHold      bool // there is an admin
	tls               certificate.Options
	selfSigned        bool
	clientAuth        string
	http3             bool
	socketMode        fs.FileMode
	trustedProxies    []string
	proxies           peer.Proxies
	// bounds of connections; see listen.Options.
	connections, connectionsPerAddress int
}

func (c *listenConfig) flags(f *pflag.FlagSet) {
	c.addressesSet = func() bool { return f.Changed("listen") }
	f.StringSliceVar(&c.addresses, "listen", []string{"localhost:50051"}, "`address` to listen on, host:port or unix:/path; port 0 takes a free one; http:// before host:port leaves TLS out there; may be repeated")
	f.Var(modeFlag(&c.socketMode, listen.DefaultSocketMode), "socket-mode", "`mode` of unix sockets, such as 0660 to let the group call")
	f.StringSliceVar(&c.trustedProxies, "trusted-proxy", nil, "`network` (10.0.0.0/8), address, or unix, of proxies that may say who calls, by X-Forwarded-For, Forwarded or the PROXY protocol; may be repeated")
	f.BoolVar(&c.insecureAnonymous, "insecure-anonymous", false, "let anyone who reaches the server read and report; needed for an address that is not loopback as long as there are no accounts")
	f.StringVar(&c.tls.CertFile, "tls-cert", "", "`file` with the certificate to show, in PEM, intermediate ones after it; read again when it changes")
	f.StringVar(&c.tls.KeyFile, "tls-key", "", "`file` with its private key, in PEM; read again when it changes")
	f.BoolVar(&c.selfSigned, "tls-self-signed", false, "speak TLS with a certificate of the server's own making, kept in the data folder; its fingerprint is shown at the start, for --tls-fingerprint of callers")
	f.StringVar(&c.tls.ClientCAFile, "tls-client-ca", "", "`file` with the authorities, in PEM, of whose clients certificates are asked; read again when it changes")
	f.StringVar(&c.clientAuth, "tls-client-auth", string(certificate.Require), "with --tls-client-ca: require a certificate of every caller, or optional")
	f.IntVar(&c.connections, "max-connections", 0, "how `many` connections may be open at once; -1: any number (default: 20000, or three quarters of the files that the process may open)")
	f.IntVar(&c.connectionsPerAddress, "max-connections-per-address", listen.DefaultMaxConnectionsPerAddress, "how `many` of them one address may have, other than loopback and trusted proxies; -1: any number")
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
	var err error
	if c.proxies, err = peer.ParseProxies(c.trustedProxies); err != nil {
		return nil, usageError{err}
	}
	opts := listen.Options{
		Addresses: c.addresses, AllowAnonymous: c.insecureAnonymous || c.accountsHold, HTTP3: c.http3,
		SocketMode: c.socketMode, Proxies: c.proxies, Inherited: inherited(),
		MaxConnections: c.connections, MaxConnectionsPerAddress: c.connectionsPerAddress,
	}
	if len(opts.Inherited) > 0 && !c.addressesSet() {
		opts.Addresses = nil // what systemd binds is in place of the default
	}
	if err := c.openTLS(e, dataDir, log); err != nil {
		return nil, err
	}
	if e.keeper != nil {
		opts.TLS = e.keeper.Config()
	}
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

// inherited are the sockets that systemd has bound for this process, by the
// variables of sd_listen_fds(3).
func inherited() []*os.File {
	pid, pidErr := strconv.Atoi(os.Getenv("LISTEN_PID"))
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if pidErr != nil || err != nil || pid != os.Getpid() || n < 1 {
		return nil
	}
	return listen.InheritedFiles(n)
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

// names are the host names that the certificate is for, under which callers may
// come: nobody else gets a certificate for them.
func (e *entrance) names() []string {
	if e.keeper == nil {
		return nil
	}
	return e.keeper.Leaf().DNSNames
}

// watch keeps the certificate up to date until ctx ends.
func (e *entrance) watch(ctx context.Context) {
	if e.keeper != nil {
		e.keeper.Watch(ctx)
	}
}
