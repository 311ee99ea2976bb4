package h2

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/net/http2"
)

// Errors that handlers see.
var (
	errHandlerOver  = errors.New("h2: the response was used after its handler had returned")
	errBodyClosed   = errors.New("h2: the request's body was closed by its handler")
	errConnLost     = goneError("h2: the client's connection is gone")
	errServerClosed = errors.New("h2: the server has closed the connection")
	errStalled      = errors.New("h2: the client does not read its response")
	errBodyStalled  = errors.New("h2: the client does not go on with its request")
	errShortBody    = errors.New("h2: the client sent less or more than its content-length says")
)

// goneError is what a handler sees of a client that is gone. It is net.ErrClosed,
// by which others know it.
type goneError string

func (e goneError) Error() string { return string(e) }

func (e goneError) Is(target error) bool { return target == net.ErrClosed }

// resetError is what a handler sees of a stream that its client has reset, which
// is net.ErrClosed too.
type resetError struct{ code http2.ErrCode }

func (e resetError) Is(target error) bool { return target == net.ErrClosed }

func (e resetError) Error() string { return "h2: the client reset the stream: " + e.code.String() }

// connError ends the connection with a GOAWAY of that code.
type connError struct {
	code   http2.ErrCode
	reason string // for the operator's log and the peer's
}

func (e connError) Error() string { return fmt.Sprintf("h2: %s: %s", e.code, e.reason) }

// streamError ends one stream with a RST_STREAM of that code.
type streamError struct {
	id     uint32
	code   http2.ErrCode
	reason string
}

func (e streamError) Error() string {
	return fmt.Sprintf("h2: stream %d: %s: %s", e.id, e.code, e.reason)
}
