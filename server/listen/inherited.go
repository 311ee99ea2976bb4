package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// addInherited takes over the sockets that the process was started with: TCP and
// unix sockets that listen, and UDP sockets for HTTP/3, which go to the listener
// of the same port.
func (o *Options) addInherited(ctx context.Context, listeners []*Listener) ([]*Listener, error) {
	var packets []net.PacketConn
	for _, file := range o.Inherited {
		stream, streamErr := net.FileListener(file) // a copy
		packet, packetErr := net.PacketConn(nil), error(nil)
		if streamErr != nil {
			packet, packetErr = net.FilePacketConn(file)
		}
		_ = file.Close()
		switch {
		case streamErr == nil:
			l, err := o.takeOver(ctx, stream)
			if err != nil {
				_ = stream.Close()
				closePackets(packets)
				return listeners, err
			}
			listeners = append(listeners, l)
		case packetErr == nil:
			packets = append(packets, packet)
		default:
			closePackets(packets)
			return listeners, fmt.Errorf("the inherited socket %s neither listens nor is one of UDP: %w", file.Name(), errors.Join(streamErr, packetErr))
		}
	}
	return listeners, o.giveQUIC(ctx, listeners, packets)
}

func closePackets(packets []net.PacketConn) {
	for _, p := range packets {
		_ = p.Close() // nothing was served on it
	}
}

func (o *Options) takeOver(ctx context.Context, l net.Listener) (*Listener, error) {
	if _, ok := l.(*net.UnixListener); ok {
		return o.wrap(l, true), nil
	}
	host, _, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("the inherited socket %s: %w", l.Addr(), err)
	}
	if err := checkLoopback(ctx, host, l.Addr().String(), o.mayBePublic(false)); err != nil {
		return nil, err
	}
	return o.wrap(l, false), nil
}

// giveQUIC gives each inherited UDP socket to the listener of its port, and binds
// what is missing.
func (o *Options) giveQUIC(ctx context.Context, listeners []*Listener, packets []net.PacketConn) error {
	for i, p := range packets {
		port := portOf(p.LocalAddr())
		taken := false
		for _, l := range listeners {
			if o.HTTP3 && l.TLS != nil && l.QUIC == nil && portOf(l.Addr()) == port {
				l.QUIC, taken = p, true
				break
			}
		}
		if !taken {
			closePackets(packets[i:])
			return fmt.Errorf("the inherited socket %s over UDP is for HTTP/3, which needs --http3, a certificate, and a socket over TCP of the same port beside it", p.LocalAddr())
		}
	}
	return o.bindQUIC(ctx, listeners)
}

// bindQUIC binds the ports of listeners over UDP where that is wanted and was not
// done.
func (o *Options) bindQUIC(ctx context.Context, listeners []*Listener) error {
	for _, l := range listeners {
		if !o.HTTP3 || l.TLS == nil || l.QUIC != nil {
			continue
		}
		var err error
		if l.QUIC, err = new(net.ListenConfig).ListenPacket(ctx, "udp", l.Addr().String()); err != nil {
			return fmt.Errorf("HTTP/3: %w", err)
		}
	}
	return nil
}

func portOf(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String()) // a unix socket has none
	return port
}

// InheritedFiles are the first n files after the standard ones, which systemd
// passes on.
func InheritedFiles(n int) []*os.File {
	const first = 3 // SD_LISTEN_FDS_START of sd_listen_fds(3)
	files := make([]*os.File, 0, n)
	for fd := first; fd < first+n; fd++ {
		closeOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("number %d", fd)))
	}
	return files
}
