package grpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/h2"
	"github.com/vitals-rpc/vitals/server/interceptor"
)

// call is one RPC, and what its handler knows as its stream. It is never used
// again for another: handlers may keep it, or its CallInfo.
type call struct {
	t      *Transport
	stream *h2.Stream
	ctx    callContext
	codec  connect.Codec
	info   connect.CallInfo

	unpack, pack connect.Compressor // nil for none
	in           input
	message      bytes.Reader  // what is decoded
	readTimeout  time.Duration // of each message; 0 for none

	unary, single bool // one message each way; one from the caller
	received      bool // the one
	begun         bool // the response's header is with the stream

	// Room for what most calls have, so that it costs no allocation.
	values      [8]string
	fields      [6]h2.Field
	contentType string
}

var (
	_ connect.ServerStream = (*call)(nil)
	_ interceptor.Reader   = (*call)(nil)
)

func newCall(t *Transport, s *h2.Stream, spec connect.Spec, codec connect.Codec) *call {
	c := &call{t: t, stream: s, codec: codec}
	c.unary = spec.StreamType == connect.StreamTypeUnary
	c.single = c.unary || spec.StreamType == connect.StreamTypeServer
	c.info.Spec = spec
	c.info.Protocol = connect.ProtocolNameGRPC
	c.info.Codec = codec.Name()
	c.in.from, c.in.most = s, t.opts.MaxMessageBytes
	return c
}

// serve runs the call to its end.
func (c *call) serve(parent context.Context, asked head) {
	c.contentType = asked.contentType
	c.ctx = callContext{Context: parent, call: c}
	c.info.PeerAddr = c.stream.RemoteAddr()
	c.takeHeader()
	defer c.in.close()
	c.end(c.run(asked))
}

func (c *call) run(asked head) (err error) {
	if c.unpack, c.pack, err = c.t.negotiate(asked); err != nil {
		return err
	}
	c.info.RequestEncoding, c.info.ResponseEncoding = nameOf(c.unpack), nameOf(c.pack)
	timeout, ok, err := parseTimeout(asked.timeout)
	if err != nil {
		return err
	}
	if ok {
		ctx, cancel := context.WithTimeout(c.ctx.Context, timeout)
		defer cancel()
		c.ctx.Context = ctx
	} else if !c.unary {
		// What a stream's interceptors derive from this one needs no goroutine
		// each, as over a context that package context does not know.
		ctx, cancel := context.WithCancel(c.ctx.Context)
		defer cancel()
		c.ctx.Context = ctx
	}
	return c.t.opts.Calls.Call(&c.ctx, c.info.Spec.Procedure, &c.info, c)
}

// takeHeader gives the request's header to the call's info.
func (c *call) takeHeader() {
	header, fields := c.info.RequestHeader(), c.stream.Fields()
	values := c.values[:]
	if len(fields) >= len(values) {
		values = make([]string, len(fields)+1)
	}
	take := func(name, value string) {
		values[0] = value
		header.SetValues(h2.CanonicalName(name), values[:1:1])
		values = values[1:]
	}
	take("host", c.stream.Authority())
	for i, f := range fields {
		if before(fields[:i], f.Name) {
			header.Add(f.Name, f.Value)
			continue
		}
		take(f.Name, f.Value)
	}
}

// before reports whether a name is among fields.
func before(fields []h2.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

// Receive implements connect.ServerStream. A call with one message of the
// caller's gets it when its stream has ended: another one behind it is a mistake.
func (c *call) Receive(msg any) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if !c.single {
		return c.receive(msg)
	}
	if c.received {
		return io.EOF
	}
	c.received = true
	if err := c.receive(msg); err != nil {
		if errors.Is(err, io.EOF) {
			return connect.NewError(connect.CodeUnimplemented, "the request has no message, and this procedure takes one")
		}
		return err
	}
	_, _, err := c.in.next()
	c.in.release()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return c.readError(err)
	}
	return connect.NewError(connect.CodeUnimplemented, "the request has several messages, and this procedure takes one")
}

// SendHeaders implements connect.ServerStream. Those of a unary call wait for its
// answer.
func (c *call) SendHeaders() error {
	if c.unary || c.begun {
		return nil
	}
	c.begin()
	return c.writeError(c.stream.Flush())
}

// begin gives the response's header to the stream, which sends it with the first
// message.
func (c *call) begin() {
	if c.begun {
		return
	}
	c.begun = true
	fields := append(c.fields[:0], h2.Field{Name: "content-type", Value: c.contentType})
	if c.t.accepted != "" {
		fields = append(fields, h2.Field{Name: "grpc-accept-encoding", Value: c.t.accepted})
	}
	if c.pack != nil {
		fields = append(fields, h2.Field{Name: "grpc-encoding", Value: c.pack.Name()})
	}
	c.stream.Header(appendHeader(fields, c.info.ResponseHeader())...)
}

// end ends the response: with the error's code, message and details, or OK.
func (c *call) end(err error) {
	c.begin()
	trailers := appendStatus(c.fields[:0], err)
	c.stream.End(appendHeader(trailers, c.info.ResponseTrailer())...)
}

// SetReadTimeout implements [interceptor.Reader]. The stream keeps the time itself,
// so that a message which is there costs no timer.
func (c *call) SetReadTimeout(d time.Duration) { c.readTimeout = d }

// HoldBack has the caller's connection not read for a while.
func (c *call) HoldBack(d time.Duration) { c.stream.HoldBack(d) }

// Stalled says whether the response was cut because nobody read it.
func (c *call) Stalled() bool { return c.stream.Stalled() }

// callContext is the context that a call's other ones are made of.
type callContext struct {
	context.Context //nolint:containedctx // it is one
	call            *call
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if interceptor.IsReaderKey(key) {
		return c.call
	}
	return c.Context.Value(key)
}
