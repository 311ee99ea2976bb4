package rpcload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// envelope is what is before each message of gRPC and gRPC-Web.
	envelope = 5
	// endless stands for the number of messages of an answer that does not end.
	endless = -1
	// trailer is the flag of the envelope in which gRPC-Web ends.
	trailer = 0x80
)

// contentType is that of requests.
func (l *Load) contentType() string {
	format := "proto"
	if l.JSON {
		format = "json"
	}
	switch l.Protocol {
	case GRPCWeb:
		return "application/grpc-web+" + format
	case Connect:
		return "application/" + format
	default:
		return "application/grpc+" + format
	}
}

// header are a request's pairs, but for those that HTTP itself needs.
func (l *Load) header() []string {
	pairs := []string{"content-type", l.contentType()}
	switch l.Protocol {
	case GRPC:
		pairs = append(pairs, "te", "trailers")
	case GRPCWeb:
		pairs = append(pairs, "x-grpc-web", "1")
	case Connect:
		pairs = append(pairs, "connect-protocol-version", "1")
	}
	return append(append(pairs, "user-agent", "rpcload"), l.Header...)
}

// body is a request's.
func (l *Load) body() []byte {
	if l.Protocol == Connect {
		return l.Request
	}
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(l.Request))) //nolint:gosec // a request is small
	return append(head, l.Request...)
}

// answer is what has come of one answer.
type answer struct {
	load    *Load
	check   func(number int, message []byte) error
	seen    int    // messages
	part    []byte // of a message whose rest is to come; of Connect the whole body
	http    string // the status of HTTP
	status  string // grpc-status
	message string // grpc-message
}

// field takes a header or trailer.
func (a *answer) field(name, value string) {
	switch name {
	case ":status":
		a.http = value
	case "grpc-status":
		a.status = value
	case "grpc-message":
		a.message = value
	}
}

// data takes a part of the body and checks the messages that it completes.
func (a *answer) data(p []byte) error {
	if a.load.Protocol == Connect {
		a.part = append(a.part, p...)
		return nil
	}
	if len(a.part) > 0 {
		a.part = append(a.part, p...)
		p = a.part
	}
	for len(p) >= envelope {
		n := int(binary.BigEndian.Uint32(p[1:])) + envelope
		if len(p) < n {
			break
		}
		if err := a.enveloped(p[0], p[envelope:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	a.part = append(a.part[:0], p...)
	return nil
}

// enveloped takes the content of one envelope.
func (a *answer) enveloped(flags byte, content []byte) error {
	switch flags {
	case 0:
		a.seen++
		return a.check(a.seen-1, content)
	case trailer:
		for line := range bytes.SplitSeq(content, []byte("\r\n")) {
			name, value, _ := bytes.Cut(line, []byte(":"))
			a.field(string(bytes.ToLower(name)), string(bytes.TrimSpace(value)))
		}
		return nil
	default:
		return fmt.Errorf("a message has flags %#x: compressed, which was not asked for", flags)
	}
}

// end checks that the answer is whole and well.
func (a *answer) end() error {
	if a.load.Protocol == Connect {
		if a.http != "200" {
			return fmt.Errorf("a call ended with HTTP status %q: %s", a.http, a.part)
		}
		a.seen++
		return a.check(0, a.part)
	}
	switch {
	case a.load.Messages == endless:
		return fmt.Errorf("a stream that ought to stay has ended with HTTP status %q, status %q %q", a.http, a.status, a.message)
	case a.http != "200" || a.status != "0":
		return fmt.Errorf("a call ended with HTTP status %q, status %q %q", a.http, a.status, a.message)
	case a.seen != a.load.Messages || len(a.part) > 0:
		return fmt.Errorf("an answer has %d messages and %d bytes more, want %d messages: %w", a.seen, len(a.part), a.load.Messages, io.ErrUnexpectedEOF)
	}
	return nil
}

// reset makes it ready for the next answer.
func (a *answer) reset() { *a = answer{load: a.load, check: a.check, part: a.part[:0]} }

var errNotOpen = errors.New("the stream is not open")
