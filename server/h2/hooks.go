package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// hooksHold tries, once in a process, whether net/http hands cleartext
// connections over as this package expects: under the key unencrypted_http2, with
// the preface read, and the socket behind UnencryptedNetConn. None of that is
// documented, so that a new Go may change it; then net/http's own HTTP/2 takes
// over and the server says so. TestHooks makes sure that it is noticed before.
var hooksHold = sync.OnceValue(func() error { return tryHooks(2 * time.Second) })

func tryHooks(patience time.Duration) error {
	here, there := net.Pipe()
	defer func() { _ = there.Close() }()
	handed := make(chan error, 1)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	hs := &http.Server{
		Handler:           http.NotFoundHandler(),
		Protocols:         protocols,
		ReadHeaderTimeout: patience,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
			nextProtoTLS:       func(*http.Server, *tls.Conn, http.Handler) {},
			nextProtoCleartext: func(_ *http.Server, c *tls.Conn, h http.Handler) { handed <- tryHandover(c, h, here) },
		},
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = hs.Serve(&oneConn{conn: here, end: make(chan struct{})}) // it ends with Close, below
	}()
	defer func() {
		_ = hs.Close() // the pipe's other end is gone
		<-served
	}()
	if err := there.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := there.Write([]byte(http2.ClientPreface)); err != nil {
		return errors.Join(ErrUnsupported, err)
	}
	select {
	case err := <-handed:
		return err
	case <-time.After(patience):
		return ErrUnsupported
	}
}

func tryHandover(c *tls.Conn, h http.Handler, want net.Conn) error {
	u, ok := c.NetConn().(interface{ UnencryptedNetConn() net.Conn })
	if !ok || u.UnencryptedNetConn() != want {
		return ErrUnsupported
	}
	if _, ok := h.(interface{ BaseContext() context.Context }); !ok {
		return ErrUnsupported
	}
	return nil
}

// oneConn is a listener with one connection to give.
type oneConn struct {
	mu   sync.Mutex
	conn net.Conn
	once sync.Once
	end  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	<-l.end
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.end) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "h2", Net: "unix"} }
