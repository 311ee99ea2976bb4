// Package listen binds the places where callers come in.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// ErrNotLoopback is the cause of a refusal to listen where anyone could call.
var ErrNotLoopback = errors.New("not a loopback address")

// ErrHTTP3WithoutTLS is a refusal of what cannot be.
var ErrHTTP3WithoutTLS = errors.New("HTTP/3 has TLS always: give a certificate with --tls-cert and --tls-key, or --tls-self-signed for a first try")

// Options says where to listen, and how. The zero value of each field means its
// default.
type Options struct {
	// Addresses are of the form host:port, or http://host:port for one without
	// TLS where TLS is configured. Port 0 takes a free one. "localhost" means
	// both 127.0.0.1 and, where the machine has it, ::1, on the same port.
	Addresses []string
	// AllowAnonymous allows addresses that are not loopback.
	AllowAnonymous bool
	// TLS is what callers are answered with. Default: no TLS.
	TLS *tls.Config
	// HTTP3 binds the port of each address with TLS over UDP too.
	HTTP3 bool
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
}

// Open binds every address and returns the listeners, or none and the first
// error. An address that is not loopback is refused with [ErrNotLoopback] unless
// anonymous callers are allowed.
func Open(ctx context.Context, opts Options) (listeners []*Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(listeners)
			listeners = nil
		}
	}()
	if opts.HTTP3 && opts.TLS == nil {
		return nil, ErrHTTP3WithoutTLS
	}
	for _, address := range opts.Addresses {
		bound, err := opts.open(ctx, address)
		listeners = append(listeners, bound...)
		if err != nil {
			return listeners, err
		}
	}
	return listeners, nil
}

// plainScheme before an address leaves TLS out there.
const plainScheme = "http://"

func (o *Options) open(ctx context.Context, address string) ([]*Listener, error) {
	hostport, plain := strings.CutPrefix(address, plainScheme)
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not of the form host:port, such as localhost:50051: %w", address, err)
	}
	if err := checkLoopback(ctx, host, address, o.AllowAnonymous); err != nil {
		return nil, err
	}
	listeners, err := o.bindAll(ctx, host, port, plain)
	for tries := 1; port == "0" && errors.Is(err, syscall.EADDRINUSE) && tries < freePortTries; tries++ {
		closeAll(listeners)
		listeners, err = o.bindAll(ctx, host, port, plain)
	}
	if err != nil {
		return listeners, explainBind(address, err)
	}
	return listeners, nil
}

// freePortTries is how often another free port is looked for, when the one that
// was found is taken in another family or over UDP.
const freePortTries = 10

func closeAll(listeners []*Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing was served on it
		if l.QUIC != nil {
			_ = l.QUIC.Close()
		}
	}
}

func (o *Options) bindAll(ctx context.Context, host, port string, plain bool) ([]*Listener, error) {
	bound, err := bind(ctx, host, port)
	listeners := make([]*Listener, 0, len(bound))
	for _, l := range bound {
		listeners = append(listeners, o.wrap(l, plain))
	}
	if err != nil || !o.HTTP3 || plain {
		return listeners, err
	}
	for _, l := range listeners {
		l.QUIC, err = new(net.ListenConfig).ListenPacket(ctx, "udp", l.Addr().String())
		if err != nil {
			return listeners, err
		}
	}
	return listeners, nil
}

// wrap puts the layers over a bound port.
func (o *Options) wrap(l net.Listener, plain bool) *Listener {
	if o.TLS == nil || plain {
		return &Listener{Listener: l}
	}
	return &Listener{Listener: tls.NewListener(plainRefuser{l}, o.TLS), TLS: o.TLS}
}

func checkLoopback(ctx context.Context, host, address string, allowAnonymous bool) error {
	if allowAnonymous {
		return nil
	}
	ips, err := resolve(ctx, host)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", address, err)
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return fmt.Errorf("listen address %q is %w: anyone who reaches it could read, for there are no accounts. "+
				"Listen on localhost, or say --insecure-anonymous if that is what you want", address, ErrNotLoopback)
		}
	}
	return nil
}

func resolve(ctx context.Context, host string) ([]net.IP, error) {
	if host == "" {
		return []net.IP{net.IPv6unspecified}, nil
	}
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	var ips []net.IP
	for _, a := range addrs {
		ips = append(ips, a.IP)
	}
	return ips, nil
}

// bind listens on one address; on "localhost" it listens on both loopbacks, for
// callers differ in which they try first.
func bind(ctx context.Context, host, port string) ([]net.Listener, error) {
	var lc net.ListenConfig
	if !strings.EqualFold(host, "localhost") {
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	l4, err := lc.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, err = net.SplitHostPort(l4.Addr().String())
	if err != nil {
		return []net.Listener{l4}, err
	}
	l6, err := lc.Listen(ctx, "tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{l4, l6}, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return []net.Listener{l4}, err
	default: // this machine has no IPv6
		return []net.Listener{l4}, nil
	}
}

func explainBind(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program (is another vitals running?); choose another address with --listen, port 0 for any free one: %w", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s needs more rights than this user has; choose a port above 1023 with --listen: %w", address, err)
	default:
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
}
