package h2

import (
	"net/http"
	"time"
)

// Defaults of [Options] and of those fields of http.Server and http.HTTP2Config
// that are zero.
const (
	DefaultHeaderTimeout = 10 * time.Second
	DefaultBodyTimeout   = 30 * time.Second
	DefaultStallTimeout  = 30 * time.Second
	DefaultWriteTimeout  = 30 * time.Second
	DefaultPingTimeout   = 15 * time.Second
	DefaultMaxAgeGrace   = time.Minute
	DefaultLinger        = time.Second

	DefaultMaxConcurrentStreams = 250
	DefaultConnectionWindow     = 1 << 20
	DefaultStreamWindow         = 256 << 10
	defaultFrameSize            = 16 << 10 // the least that RFC 9113 allows, and enough: see reader.go
	defaultTableSize            = 4 << 10
)

// Options are what http.Server has no field for. A zero value means the default,
// a negative duration that there is no such limit.
//
// The rest is taken from the http.Server, read when its first connection comes:
// Handler, BaseContext, ConnContext, ConnState, ErrorLog, MaxHeaderBytes,
// ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout, and of HTTP2 the
// numbers MaxConcurrentStreams, MaxDecoderHeaderTableSize,
// MaxEncoderHeaderTableSize, MaxReadFrameSize, MaxReceiveBufferPerConnection,
// MaxReceiveBufferPerStream, SendPingTimeout, PingTimeout, WriteByteTimeout,
// PermitProhibitedCipherSuites and CountError.
type Options struct {
	// Direct is offered each request before Handler. Default: none.
	Direct Direct
	// BodyTimeout is how long a request body of a declared length may stand
	// still. One of no known length may be a stream that has nothing to say;
	// http.Server.ReadTimeout and http.ResponseController bound it. Default 30 s.
	BodyTimeout time.Duration
	// StallTimeout is how long a response may wait for a peer that lives and
	// opens no window; the stream is reset then. Default 30 s.
	StallTimeout time.Duration
	// MaxAge is how long a connection may last before its client is asked, by
	// GOAWAY, to open another one; a tenth more or less, so that clients do not
	// all return at once. Default: no limit.
	MaxAge time.Duration
	// MaxAgeGrace is how long streams may go on after that. Default 1 min.
	MaxAgeGrace time.Duration
	// Linger is how long a connection that the server closes is still read, so
	// that what was sent last reaches the peer. Default 1 s.
	Linger time.Duration
}

// config is what a connection is run by: Options and http.Server's fields with
// their defaults filled in, where zero means that there is no limit.
type config struct {
	headerTimeout, bodyTimeout, stallTimeout, writeTimeout time.Duration
	idleTimeout, pingAfter, pingTimeout                    time.Duration
	maxAge, maxAgeGrace, linger                            time.Duration
	requestTimeout, responseTimeout                        time.Duration // http.Server's ReadTimeout and WriteTimeout

	maxStreams      int
	maxHeaderBytes  int
	connWindow      int32
	streamWindow    int32
	frameSize       uint32
	decodeTableSize uint32
	encodeTableSize uint32
	anyCipher       bool
	countError      func(string)
}

func resolve(hs *http.Server, o Options) config {
	h := http.HTTP2Config{}
	if hs.HTTP2 != nil {
		h = *hs.HTTP2
	}
	c := config{
		headerTimeout:   duration(first(hs.ReadHeaderTimeout, hs.ReadTimeout), DefaultHeaderTimeout),
		bodyTimeout:     duration(o.BodyTimeout, DefaultBodyTimeout),
		stallTimeout:    duration(o.StallTimeout, DefaultStallTimeout),
		writeTimeout:    duration(h.WriteByteTimeout, DefaultWriteTimeout),
		idleTimeout:     duration(first(hs.IdleTimeout, hs.ReadTimeout), 0),
		pingAfter:       duration(h.SendPingTimeout, 0),
		pingTimeout:     duration(h.PingTimeout, DefaultPingTimeout),
		maxAge:          duration(o.MaxAge, 0),
		maxAgeGrace:     duration(o.MaxAgeGrace, DefaultMaxAgeGrace),
		linger:          duration(o.Linger, DefaultLinger),
		requestTimeout:  duration(hs.ReadTimeout, 0),
		responseTimeout: duration(hs.WriteTimeout, 0),
		maxStreams:      number(h.MaxConcurrentStreams, DefaultMaxConcurrentStreams, 1<<31-1),
		maxHeaderBytes:  number(hs.MaxHeaderBytes, http.DefaultMaxHeaderBytes, 1<<30),
		connWindow:      int32(number(h.MaxReceiveBufferPerConnection, DefaultConnectionWindow, 1<<31-1)),
		streamWindow:    int32(number(h.MaxReceiveBufferPerStream, DefaultStreamWindow, 1<<31-1)),
		frameSize:       uint32(number(h.MaxReadFrameSize, defaultFrameSize, 1<<24-1)),
		decodeTableSize: uint32(number(h.MaxDecoderHeaderTableSize, defaultTableSize, 1<<24)),
		encodeTableSize: uint32(number(h.MaxEncoderHeaderTableSize, defaultTableSize, 1<<24)),
		anyCipher:       h.PermitProhibitedCipherSuites,
		countError:      h.CountError,
	}
	c.connWindow = max(c.connWindow, initialWindow) // it cannot be made smaller than what a peer begins with
	c.frameSize = max(c.frameSize, defaultFrameSize)
	if c.countError == nil {
		c.countError = func(string) {}
	}
	return c
}

// first is the first that is set.
func first(a, b time.Duration) time.Duration {
	if a != 0 {
		return a
	}
	return b
}

func duration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}

func number(n, otherwise, most int) int {
	if n <= 0 {
		return otherwise
	}
	return min(n, most)
}
