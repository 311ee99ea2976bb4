// Package listen binds the places where callers come in.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/vitals-rpc/vitals/server/peer"
)

// ErrNotLoopback is the cause of a refusal to listen where anyone could call.
var ErrNotLoopback = errors.New("not a loopback address")

// ErrHTTP3WithoutTLS is a refusal of what cannot be.
var ErrHTTP3WithoutTLS = errors.New("HTTP/3 has TLS always: give a certificate with --tls-cert and --tls-key, or --tls-self-signed for a first try")

// Options says where to listen, and how. The zero value of each field means its
// default.
type Options struct {
	// Addresses are of the form host:port, or http://host:port for one without
	// TLS where TLS is configured, or unix:/path for a unix socket, which has no
	// TLS. Port 0 takes a free one. "localhost" means both 127.0.0.1 and, where
	// the machine has it, ::1, on the same port.
	Addresses []string
	// Inherited are sockets that are bound already; see [InheritedFiles]. Open
	// closes the files, not the sockets.
	Inherited []*os.File
	// SocketMode says who may call by the unix sockets. Default:
	// [DefaultSocketMode].
	SocketMode fs.FileMode
	// AllowAnonymous allows addresses that are not loopback: because accounts
	// hold, or because the operator wants everyone in.
	AllowAnonymous bool
	// TLS is what callers are answered with. Default: no TLS.
	TLS *tls.Config
	// HTTP3 binds the port of each address with TLS over UDP too.
	HTTP3 bool
	// Proxies may say by the PROXY protocol who calls. Default: none.
	Proxies peer.Proxies
	// ReadHeaderTimeout is how long a proxy may take to say it. Default 10 s.
	ReadHeaderTimeout time.Duration
	// MaxConnections is how many connections may be open on all listeners; less
	// than zero means any number. Default: 20,000, and never more than three
	// quarters of the files that the process may open.
	MaxConnections int
	// MaxConnectionsPerAddress is how many of them one address may have; see
	// [Connections] for who has no such bound. Less than zero means any number.
	// Default: 1,000.
	MaxConnectionsPerAddress int

	connections *Connections
}

// Listener is one place where callers come in.
type Listener struct {
	// Listener hands out the connections: *tls.Conn where there is TLS.
	net.Listener
	// TLS is what callers are answered with; nil where they speak without.
	TLS *tls.Config
	// QUIC is the same port over UDP; nil without HTTP/3. Close leaves it open,
	// for at a stop what came by it is served to its end.
	QUIC net.PacketConn
	// Connections counts those of this listener and of all that were opened with
	// it.
	Connections *Connections
}

// Open binds every address and returns the listeners, or none and the first
// error. An address that is not loopback is refused with [ErrNotLoopback] unless
// anonymous callers are allowed, or each caller has to show a certificate.
func Open(ctx context.Context, opts Options) (listeners []*Listener, err error) {
	defer func() {
		if err != nil {
			CloseAll(listeners)
			listeners = nil
		}
	}()
	if opts.HTTP3 && opts.TLS == nil {
		return nil, ErrHTTP3WithoutTLS
	}
	if opts.SocketMode == 0 {
		opts.SocketMode = DefaultSocketMode
	}
	opts.connections = newConnections(&opts)
	for _, address := range opts.Addresses {
		bound, err := opts.open(ctx, address)
		listeners = append(listeners, bound...)
		if err != nil {
			return listeners, err
		}
	}
	return opts.addInherited(ctx, listeners)
}

// CloseAll closes listeners that nobody serves on, their QUIC too. Unix sockets are
// gone from the disk then. It does nothing to those that are closed already.
func CloseAll(listeners []*Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing was served on it
		if l.QUIC != nil {
			_ = l.QUIC.Close()
		}
	}
}

// plainScheme before an address leaves TLS out there.
const plainScheme = "http://"

func (o *Options) open(ctx context.Context, address string) ([]*Listener, error) {
	if path, ok := strings.CutPrefix(address, unixScheme); ok {
		l, err := bindUnix(ctx, path, o.SocketMode)
		if err != nil {
			return nil, err
		}
		return []*Listener{o.wrap(l, true)}, nil
	}
	hostport, plain := strings.CutPrefix(address, plainScheme)
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not of the form host:port, such as localhost:50051, nor unix:/path: %w", address, err)
	}
	if err := checkLoopback(ctx, host, address, o.mayBePublic(plain)); err != nil {
		return nil, err
	}
	listeners, err := o.bindAll(ctx, host, port, plain)
	for tries := 1; port == "0" && errors.Is(err, syscall.EADDRINUSE) && tries < freePortTries; tries++ {
		CloseAll(listeners)
		listeners, err = o.bindAll(ctx, host, port, plain)
	}
	if err != nil {
		return listeners, explainBind(address, err)
	}
	return listeners, nil
}

// mayBePublic says whether an address may be one that is not loopback. Who has shown
// a certificate of the operator's authority is not anonymous.
func (o *Options) mayBePublic(plain bool) bool {
	return o.AllowAnonymous || !plain && o.TLS != nil && o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
}

// wrap puts the layers over a bound port.
func (o *Options) wrap(l net.Listener, plain bool) *Listener {
	l = o.behindProxies(boundedListener{l, o.connections})
	if o.TLS == nil || plain {
		return &Listener{Listener: l, Connections: o.connections}
	}
	return &Listener{Listener: tls.NewListener(plainRefuser{l}, o.TLS), TLS: o.TLS, Connections: o.connections}
}
