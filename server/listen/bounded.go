package listen

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// boundedListener lets in no more connections than may be. It is the lowest layer,
// so that who never ends a TLS handshake counts too.
type boundedListener struct {
	net.Listener
	connections *Connections
}

// Accept closes those that are too many at once, and goes on.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, ok := l.connections.Enter(conn.RemoteAddr())
		if ok {
			return counted(conn, leave), nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // the system, too, keeps nothing of it
		}
		_ = conn.Close()
	}
}

// counted calls leave when the connection is closed. It keeps what the system's
// connections can do besides, such as to close one direction.
func counted(conn net.Conn, leave func()) net.Conn {
	once := sync.OnceFunc(leave)
	switch c := conn.(type) {
	case *net.TCPConn:
		return &countedTCP{c, once}
	case *net.UnixConn:
		return &countedUnix{c, once}
	default:
		return &countedConn{c, once}
	}
}

type countedTCP struct {
	*net.TCPConn
	leave func()
}

func (c *countedTCP) Close() error { defer c.leave(); return c.TCPConn.Close() }

type countedUnix struct {
	*net.UnixConn
	leave func()
}

func (c *countedUnix) Close() error { defer c.leave(); return c.UnixConn.Close() }

type countedConn struct {
	net.Conn
	leave func()
}

func (c *countedConn) Close() error { defer c.leave(); return c.Conn.Close() }

// namedListener counts what comes by a proxy for the caller that the PROXY protocol
// names. It goes over the layer that reads it.
type namedListener struct {
	net.Listener
	connections *Connections
}

func (l namedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if p, ok := conn.(proxied); ok {
		return &namedConn{proxied: p, connections: l.connections}, nil
	}
	return conn, nil // from no trusted proxy
}

// proxied is a connection of a proxy's, which knows the caller's address and has the
// proxy's below, as go-proxyproto's.
type proxied interface {
	net.Conn
	Raw() net.Conn
}

// errTooManyOfAddress ends the connection of a caller that has too many.
var errTooManyOfAddress = errors.New("this address has too many connections")

// namedConn finds out whose it is when it is first read, for the proxy may take its
// time to say it, and Accept must not wait.
type namedConn struct {
	proxied
	connections *Connections

	mu     sync.Mutex
	asked  bool
	closed bool
	ip     netip.Addr // whose connections it counts for
	err    error
}

func (c *namedConn) Read(p []byte) (int, error) {
	if err := c.ask(); err != nil {
		return 0, err
	}
	return c.proxied.Read(p)
}

func (c *namedConn) ask() error {
	c.mu.Lock()
	asked, err := c.asked, c.err
	c.mu.Unlock()
	if asked {
		return err
	}
	ip := c.connections.bounded(c.RemoteAddr()) // waits for the proxy's word
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = true
	if c.closed {
		return nil // there is nothing left to count
	}
	if c.connections.enterNamed(ip) {
		c.ip = ip
		return nil
	}
	// As the system says that a connection is gone: who serves it answers nothing.
	c.err = &net.OpError{Op: "read", Net: "tcp", Err: errTooManyOfAddress}
	return c.err
}

func (c *namedConn) Close() error {
	c.mu.Lock()
	if c.ip.IsValid() && !c.closed {
		c.connections.leaveNamed(c.ip)
	}
	c.closed = true
	c.mu.Unlock()
	return c.proxied.Close()
}

// CloseWrite ends what is written, where the connection can do so.
func (c *namedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
