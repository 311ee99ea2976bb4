package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/vitals-rpc/vitals/server/listen"
)

// A QUIC connection whose peer is gone without a word ends after quicIdle; one
// that lives is kept up by a packet every quicKeepAlive.
const (
	quicIdle      = 45 * time.Second
	quicKeepAlive = 15 * time.Second
)

// http3Linger is how long answers that were written may take to be sent before
// their connection is closed at shutdown.
const http3Linger = 250 * time.Millisecond

// overHTTP3 serves HTTP/3 with the server's one handler.
type overHTTP3 struct {
	server *http3.Server
	active atomic.Int64  // requests that run
	ended  chan struct{} // closed when shutdown is over
}

func (s *Server) overHTTP3(config *tls.Config) *overHTTP3 {
	h := &overHTTP3{ended: make(chan struct{})}
	h.server = &http3.Server{
		TLSConfig: config,
		QUICConfig: &quic.Config{
			MaxIncomingStreams:   int64(s.opts.MaxStreamsPerConn),
			HandshakeIdleTimeout: s.opts.ReadHeaderTimeout,
			MaxIdleTimeout:       quicIdle,
			KeepAlivePeriod:      quicKeepAlive,
			// No 0-RTT: what it carries can be played again by others.
		},
		IdleTimeout:    s.opts.IdleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		Logger:         s.opts.Logger,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.active.Add(1)
			defer h.active.Add(-1)
			s.handler.ServeHTTP(w, r)
		}),
	}
	return h
}

// crowded is the number of connections from which on a new one has to show first
// that it is where it says it is, by a packet more each way: before that, anybody can
// open connections in the name of another address.
const crowded = 500

// errTooMany refuses a connection.
var errTooMany = errors.New("too many connections")

// serve answers on one port until the server is shut down, and then closes it.
func (h *overHTTP3) serve(l *listen.Listener) (err error) {
	transport := &quic.Transport{
		Conn:                l.QUIC,
		VerifySourceAddress: func(net.Addr) bool { return l.Connections.Open() >= crowded },
		ConnContext: func(ctx context.Context, caller *quic.ClientInfo) (context.Context, error) {
			leave, ok := l.Connections.Enter(caller.RemoteAddr)
			if !ok {
				return nil, errTooMany
			}
			context.AfterFunc(ctx, leave)
			return ctx, nil
		},
	}
	defer func() { err = errors.Join(err, transport.Close(), l.QUIC.Close()) }()
	listener, err := transport.ListenEarly(http3.ConfigureTLSConfig(h.server.TLSConfig), h.server.QUICConfig.Clone())
	if err == nil {
		err = h.server.ServeListener(listener)
		_ = listener.Close() // those that stand are the server's to end
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP/3 on %s: %w", l.QUIC.LocalAddr(), err)
	}
	<-h.ended
	return nil
}

// shutdown tells callers to go, waits for the requests that run, and then closes
// the connections, for callers with nothing to ask keep theirs. Call it once.
func (h *overHTTP3) shutdown(ctx context.Context) error {
	defer close(h.ended)
	patience, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for h.active.Load() > 0 {
			select {
			case <-patience.Done():
				return
			case <-tick.C:
			}
		}
		time.AfterFunc(http3Linger, stopWaiting)
	}()
	if err := h.server.Shutdown(patience); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// configOfQUIC is the TLS of those listeners that have QUIC, which share one.
func configOfQUIC(listeners []*listen.Listener) *tls.Config {
	for _, l := range listeners {
		if l.QUIC != nil {
			return l.TLS
		}
	}
	return nil
}

type listenerKey struct{}

// withListener lets requests know which listener they came in by.
func withListener(l net.Listener) context.Context {
	return context.WithValue(context.Background(), listenerKey{}, l)
}

// altSvcAge is for how many seconds callers may remember that there is HTTP/3.
const altSvcAge = 24 * 60 * 60

// announceHTTP3 tells callers by HTTP/1.1 and HTTP/2 where HTTP/3 is, by the
// header Alt-Svc (RFC 7838).
func announceHTTP3(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l, ok := r.Context().Value(listenerKey{}).(*listen.Listener); ok && l.QUIC != nil {
			if udp, ok := l.QUIC.LocalAddr().(*net.UDPAddr); ok {
				w.Header().Set("Alt-Svc", `h3=":`+strconv.Itoa(udp.Port)+`"; ma=`+strconv.Itoa(altSvcAge))
			}
		}
		next.ServeHTTP(w, r)
	})
}
