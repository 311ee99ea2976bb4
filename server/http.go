package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/vitals-rpc/vitals/server/h2"
)

// HTTP2 says who serves HTTP/2.
type HTTP2 string

// The values of [HTTP2].
const (
	// OwnHTTP2 is package h2, made for many small messages.
	OwnHTTP2 HTTP2 = "own"
	// StdHTTP2 is net/http.
	StdHTTP2 HTTP2 = "std"
)

// Set implements flag.Value.
func (h *HTTP2) Set(name string) error {
	switch v := HTTP2(name); v {
	case OwnHTTP2, StdHTTP2:
		*h = v
		return nil
	}
	return fmt.Errorf("HTTP/2 is served by %q or by %q", OwnHTTP2, StdHTTP2)
}

// String implements flag.Value.
func (h *HTTP2) String() string { return string(*h) }

// Type is what a flag's help calls its value.
func (h *HTTP2) Type() string { return "name" }

// maxHeaderBytes is the largest head of a request: room for the longest URL of a
// Connect GET and for a browser's cookies.
const maxHeaderBytes = 64 << 10

// httpServer makes what serves HTTP/1.1 and HTTP/2 on every listener, with TLS
// and without.
func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:           announceHTTP3(s.handler),
		BaseContext:       withListener,
		ConnContext:       withRemoteEnd,
		Protocols:         protocols,
		ReadHeaderTimeout: s.opts.ReadHeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: s.opts.MaxStreamsPerConn,
			// A peer that is gone without a word is noticed by pings.
			SendPingTimeout:  30 * time.Second,
			PingTimeout:      15 * time.Second,
			WriteByteTimeout: s.opts.SendTimeout,
			CountError:       s.countHTTP2Error,
		},
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	if s.opts.HTTP2 == OwnHTTP2 {
		if _, err := h2.Configure(srv, h2.Options{Direct: s.direct, StallTimeout: s.opts.SendTimeout, MaxAge: s.opts.MaxConnectionAge}); err != nil {
			s.opts.Logger.Warn("HTTP/2 is served by net/http", "reason", err)
		}
	}
	return srv
}
