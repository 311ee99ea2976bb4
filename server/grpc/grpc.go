// Package grpc is gRPC from HTTP/2 frames straight to a connect.Server: what
// connecthttp does over net/http, without http.Request, header maps and
// ResponseWriter between. Calls run the same interceptors and handlers, and
// callers see the same answers.
//
// It takes the plain calls, which are nearly all, and leaves every other to the
// http.Handler: procedures that there are not, other content types, requests that
// declare their length, and whatever Options.Begin does not want. So nothing that
// is rare is written twice.
//
// The protocol is that of
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
package grpc

import (
	"context"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/h2"
)

// Options configures a [Transport].
type Options struct {
	// Calls has the procedures, their interceptors and handlers.
	Calls *connect.Server
	// Codecs are those of the messages; one is called "proto".
	Codecs []connect.Codec
	// Compressors are those of the messages, each by its name.
	Compressors []connect.Compressor
	// MaxMessageBytes is the largest message that is read; 0 means no limit.
	MaxMessageBytes int
	// Begin gives a call its context, over that of the stream, or leaves it to
	// the http.Handler. It must do nothing to the stream.
	Begin func(s *h2.Stream) (ctx context.Context, ok bool)
}

// Transport is gRPC over the streams of package h2. Make one with [New].
type Transport struct {
	opts        Options
	procedures  map[string]connect.Spec
	types       map[string]connect.Codec // by content type
	compressors map[string]connect.Compressor
	accepted    string // names of compressors, as the header has them
}

var _ h2.Direct = (*Transport)(nil)

// contentType is that of binary protobuf; others have a plus sign and their
// codec's name behind it.
const contentType = "application/grpc"

// New makes a transport. All procedures must be registered by then.
func New(opts Options) *Transport {
	t := &Transport{opts: opts, procedures: map[string]connect.Spec{}, types: map[string]connect.Codec{}, compressors: map[string]connect.Compressor{}}
	for spec := range opts.Calls.Specs() {
		t.procedures[spec.Procedure] = spec
	}
	for _, codec := range opts.Codecs {
		t.types[contentType+"+"+codec.Name()] = codec
		if codec.Name() == connect.CodecNameProto {
			t.types[contentType] = codec
		}
	}
	names := make([]string, 0, len(opts.Compressors))
	for _, c := range opts.Compressors {
		t.compressors[c.Name()] = c
		names = append(names, c.Name())
	}
	t.accepted = strings.Join(names, ",")
	return t
}

// ServeStream implements h2.Direct.
func (t *Transport) ServeStream(s *h2.Stream) bool {
	if s.Method() != http.MethodPost || s.ContentLength() >= 0 {
		return false
	}
	spec, ok := t.procedures[s.Path()]
	if !ok {
		return false
	}
	asked := readHead(s.Fields())
	codec := t.types[asked.contentType]
	if codec == nil {
		return false
	}
	ctx, ok := t.opts.Begin(s)
	if !ok {
		return false
	}
	c := newCall(t, s, spec, codec)
	c.serve(ctx, asked)
	return true
}

// head is what the protocol has in a request's header.
type head struct {
	contentType, encoding, accepts, timeout string
}

func readHead(fields []h2.Field) (asked head) {
	for _, f := range fields {
		var into *string
		switch f.Name {
		case "content-type":
			into = &asked.contentType
		case "grpc-encoding":
			into = &asked.encoding
		case "grpc-accept-encoding":
			into = &asked.accepts
		case "grpc-timeout":
			into = &asked.timeout
		default:
			continue
		}
		if *into == "" {
			*into = f.Value
		}
	}
	return asked
}

// negotiate chooses the compressors of both directions: the one that the caller
// says it uses, and for the answer the same, or the first that it accepts. Nil is
// none.
func (t *Transport) negotiate(asked head) (request, response connect.Compressor, err error) {
	if asked.encoding != "" && asked.encoding != connect.CompressionNameIdentity {
		c := t.compressors[asked.encoding]
		if c == nil {
			return nil, nil, connect.Errorf(connect.CodeUnimplemented, "unknown compression %q: supported encodings are %s", asked.encoding, t.accepted)
		}
		return c, c, nil
	}
	for name := range strings.FieldsFuncSeq(asked.accepts, func(r rune) bool { return r == ',' || r == ' ' }) {
		if c := t.compressors[name]; c != nil {
			return nil, c, nil
		}
	}
	return nil, nil, nil
}

// nameOf is a compressor's name, also of none.
func nameOf(c connect.Compressor) string {
	if c == nil {
		return connect.CompressionNameIdentity
	}
	return c.Name()
}
