package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// freePortTries is how often another free port is looked for, when the one that
// was found is taken in another family or over UDP.
const freePortTries = 10

func (o *Options) bindAll(ctx context.Context, host, port string, plain bool) ([]*Listener, error) {
	bound, err := bind(ctx, host, port)
	listeners := make([]*Listener, 0, len(bound))
	for _, l := range bound {
		listeners = append(listeners, o.wrap(l, plain))
	}
	if err != nil {
		return listeners, err
	}
	return listeners, o.bindQUIC(ctx, listeners)
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
			return fmt.Errorf("listen address %q is %w: anyone who reaches it could read and report, for there are no accounts yet. "+
				"Make an admin first ('vitals user add NAME --role admin --new-token' with the same --data-dir, or --first-admin NAME here); "+
				"or listen on localhost, let in those with a certificate of yours alone (--tls-client-ca), or say --insecure-anonymous if that is what you want", address, ErrNotLoopback)
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
