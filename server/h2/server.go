package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// The keys of http.Server.TLSNextProto: what ALPN calls HTTP/2, and what net/http
// calls it on a connection without TLS.
const (
	nextProtoTLS       = "h2"
	nextProtoCleartext = "unencrypted_http2"
)

// ErrUnsupported is why [Configure] leaves a server as it was: this Go's net/http
// no longer hands connections over in the way that this package knows.
var ErrUnsupported = errors.New("net/http of this version of Go hands HTTP/2 connections over in another way; its own HTTP/2 serves them")

// Server serves the HTTP/2 connections of one http.Server.
type Server struct {
	hs      *http.Server
	opts    Options
	once    sync.Once
	cfg     config // read-only after once
	tick    time.Duration
	workers workers

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
}

// Configure makes hs serve HTTP/2 by this package: over TLS where hs.Protocols
// has HTTP2, by prior knowledge where it has UnencryptedHTTP2. It must be called
// before hs serves. Shutdown and Close of hs work as for net/http's own; as for
// that, streams that never end must be ended by the application, or they are cut
// when Shutdown's context ends and Close is called.
//
// Error: [ErrUnsupported], with which hs is as it was and net/http's own HTTP/2
// serves.
func Configure(hs *http.Server, opts Options) (*Server, error) {
	if err := hooksHold(); err != nil {
		return nil, err
	}
	s := &Server{hs: hs, opts: opts, conns: make(map[*conn]struct{})}
	if hs.TLSNextProto == nil {
		hs.TLSNextProto = make(map[string]func(*http.Server, *tls.Conn, http.Handler))
	}
	hs.TLSNextProto[nextProtoTLS] = s.serveTLS
	hs.TLSNextProto[nextProtoCleartext] = s.serveCleartext
	if hs.TLSConfig != nil && !slices.Contains(hs.TLSConfig.NextProtos, nextProtoTLS) {
		hs.TLSConfig.NextProtos = append([]string{nextProtoTLS}, hs.TLSConfig.NextProtos...)
	}
	hs.RegisterOnShutdown(s.drain)
	return s, nil
}

// Connections is how many connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// baseContext is net/http's unadvertised way to pass on what BaseContext and
// ConnContext have made.
func baseContext(h http.Handler) context.Context {
	if b, ok := h.(interface{ BaseContext() context.Context }); ok {
		return b.BaseContext()
	}
	return context.Background()
}

func (s *Server) serveTLS(_ *http.Server, nc *tls.Conn, h http.Handler) {
	c := s.newConn(nc, h)
	state := nc.ConnectionState()
	c.tls = &state
	_ = nc.SetReadDeadline(time.Now().Add(max(c.cfg.headerTimeout, time.Second)))
	err := c.readPreface()
	_ = nc.SetReadDeadline(time.Time{}) // an error shows in the first read
	if err != nil {
		c.in.release()
		_ = nc.Close() // a peer that does not speak HTTP/2 is not told so in HTTP/2
		return
	}
	s.serve(c)
}

func (s *Server) serveCleartext(_ *http.Server, wrapped *tls.Conn, h http.Handler) {
	u, ok := wrapped.NetConn().(interface{ UnencryptedNetConn() net.Conn })
	if !ok {
		return // hooksHold would have failed
	}
	s.serve(s.newConn(u.UnencryptedNetConn(), h))
}

func (s *Server) newConn(nc net.Conn, h http.Handler) *conn {
	s.once.Do(func() {
		s.cfg = resolve(s.hs, s.opts)
		s.tick = tickOf(&s.cfg)
	})
	return newConn(baseContext(h), s, nc, h)
}

// serve runs a connection to its end.
func (s *Server) serve(c *conn) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	c.drainAtOnce = s.draining
	s.mu.Unlock()
	s.workers.join()
	defer func() {
		s.workers.leave()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	c.unsafe = c.tls != nil && !s.cfg.anyCipher && !goodCipher(c.tls)
	c.serve()
}

// drain is called by http.Server.Shutdown.
func (s *Server) drain() {
	s.mu.Lock()
	s.draining = true
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.mu.Lock()
		c.startDrain()
		c.mu.Unlock()
	}
}

// age is a connection's greatest age: a tenth more or less than asked for, so
// that clients which came together do not leave together.
func (s *Server) age() time.Duration {
	if s.cfg.maxAge <= 0 {
		return 0
	}
	return time.Duration(float64(s.cfg.maxAge) * (0.9 + 0.2*rand.Float64()))
}

// goodCipher reports whether a connection keeps to RFC 9113, section 9.2: TLS 1.3,
// or 1.2 with a suite that has forward secrecy and authenticated encryption.
func goodCipher(state *tls.ConnectionState) bool {
	switch {
	case state.Version >= tls.VersionTLS13:
		return true
	case state.Version < tls.VersionTLS12:
		return false
	}
	switch state.CipherSuite {
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return true
	}
	return false
}

// readPreface reads what every client's connection begins with.
func (c *conn) readPreface() error {
	for want := http2.ClientPreface; want != ""; {
		p, err := c.in.next(len(want))
		if err != nil {
			return err
		}
		if string(p) != want[:len(p)] {
			return connError{http2.ErrCodeProtocol, "not the preface of HTTP/2"}
		}
		want = want[len(p):]
	}
	return nil
}
