package client

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// WithHTTP3 speaks HTTP/3 to an https target, and nothing else: where UDP does
// not pass, calls fail. All protocols and kinds of calls go over it.
func WithHTTP3() Option { return func(o *options) { o.http3 = true } }

// overHTTP3 is a transport whose socket and goroutines are gone when it has been
// told to let go of idle connections and no call runs, as with http.Transport.
// The next call opens another.
type overHTTP3 struct {
	config *tls.Config
	dial   string // host:port to connect to in place of the URL's; empty: the URL's

	mu      sync.Mutex
	current *http3Session
}

// http3Session is a socket and how many requests use it.
type http3Session struct {
	transport *http3.Transport
	used      int
	let       bool // go, as soon as nobody uses it
}

func (t *overHTTP3) acquire() *http3Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		t.current = &http3Session{transport: &http3.Transport{
			TLSClientConfig: t.config,
			QUICConfig:      &quic.Config{KeepAlivePeriod: 15 * time.Second, MaxIdleTimeout: 45 * time.Second},
		}}
		if t.dial != "" {
			t.current.transport.Dial = func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
				return quic.DialAddrEarly(ctx, t.dial, tlsConfig, config)
			}
		}
	}
	t.current.used++
	return t.current
}

func (t *overHTTP3) release(s *http3Session) {
	t.mu.Lock()
	s.used--
	end := s.let && s.used == 0
	t.mu.Unlock()
	if end {
		_ = s.transport.Close() // nothing runs on it
	}
}

// RoundTrip implements http.RoundTripper.
func (t *overHTTP3) RoundTrip(req *http.Request) (*http.Response, error) {
	s := t.acquire()
	res, err := s.transport.RoundTrip(req)
	if err != nil {
		t.release(s)
		return nil, err
	}
	res.Body = &releasingBody{ReadCloser: res.Body, release: sync.OnceFunc(func() { t.release(s) })}
	return res, nil
}

// CloseIdleConnections is what http.Client looks for.
func (t *overHTTP3) CloseIdleConnections() {
	t.mu.Lock()
	s := t.current
	t.current = nil
	end := false
	if s != nil {
		s.let = true
		end = s.used == 0
	}
	t.mu.Unlock()
	if end {
		_ = s.transport.Close() // nothing runs on it
	}
}

type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
