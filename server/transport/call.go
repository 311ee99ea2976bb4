package transport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vitals-rpc/vitals/server/interceptor"
)

// Caller makes the calls of one HTTP request, of which there may be several. It is
// not safe for concurrent use.
type Caller struct {
	methods  *Methods
	protocol string
	codec    string
	response http.Header
	request  *http.Request
	id       string // what the first call is known by, the later ones have too
}

// Caller makes a caller for a request in that protocol and encoding, as logs and
// metrics will name them. Headers that interceptors set go into response.
func (ms *Methods) Caller(protocol, codec string, response http.Header, request *http.Request) *Caller {
	return &Caller{methods: ms, protocol: protocol, codec: codec, response: response, request: request}
}

// Call calls a method through all interceptors and returns its response.
//
// Errors: those of the call, of which [Describe] makes what the caller may read;
// [*ParamsError] is the cause of one about params.
func (c *Caller) Call(ctx context.Context, m *Method, params Params) (proto.Message, error) {
	info := &connect.CallInfo{
		PeerAddr:         c.request.RemoteAddr,
		Protocol:         c.protocol,
		Codec:            c.codec,
		RequestEncoding:  connect.CompressionNameIdentity,
		ResponseEncoding: connect.CompressionNameIdentity,
	}
	for name, values := range c.request.Header {
		info.RequestHeader().SetValues(name, values)
	}
	if c.id != "" {
		info.RequestHeader().Set(interceptor.RequestIDHeader, c.id)
	}
	stream := &unary{method: m, params: params}
	err := c.methods.server.Call(ctx, "/"+m.Full, info, stream)
	maps.Insert(c.response, info.ResponseHeader().All())
	c.id = info.ResponseHeader().Get(interceptor.RequestIDHeader)
	if err == nil && stream.response == nil {
		err = connect.NewError(connect.CodeInternal, "the method did not answer")
	}
	return stream.response, err
}

// unary is a call's stream of one message each way.
type unary struct {
	method   *Method
	params   Params
	received bool
	response proto.Message
}

// Receive decodes the params, which interceptors may forbid before.
func (u *unary) Receive(msg any) error {
	if u.received {
		return io.EOF
	}
	u.received = true
	request, ok := msg.(proto.Message)
	if !ok {
		return connect.Errorf(connect.CodeInternal, "%T is no protobuf message", msg)
	}
	if err := u.params.Decode(u.method, request); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err.Error()).WithCause(err)
	}
	return nil
}

// SendHeaders does nothing, for headers go out with the answer.
func (u *unary) SendHeaders() error { return nil }

// Send keeps the response.
func (u *unary) Send(msg any) error {
	response, ok := msg.(proto.Message)
	if !ok {
		return connect.Errorf(connect.CodeInternal, "%T is no protobuf message", msg)
	}
	u.response = response
	return nil
}

// Status is an error as a caller may read it.
type Status struct {
	Code    connect.Code
	Message string
	// Details are JSON objects with the type of a detail and its value, or nil.
	Details []json.RawMessage
}

// Describe returns what a caller may read of an error: no more than its code of
// one that was not written for callers.
func Describe(err error) Status {
	var told *connect.Error
	switch {
	case errors.As(err, &told) && !told.IsRemote():
		s := Status{Code: told.Code(), Message: told.Message()}
		if s.Message == "" {
			s.Message = s.Code.String()
		}
		for _, detail := range told.Details() {
			s.Details = append(s.Details, describeDetail(detail))
		}
		return s
	case errors.Is(err, context.Canceled):
		return Status{Code: connect.CodeCanceled, Message: "the call was canceled"}
	case errors.Is(err, context.DeadlineExceeded):
		return Status{Code: connect.CodeDeadlineExceeded, Message: "the call took too long"}
	}
	return Status{Code: connect.CodeUnknown, Message: "the call failed; the server's log says why, under the request id that the response's header " + interceptor.RequestIDHeader + " has"}
}

// describeDetail writes a detail in JSON, or in base64 where its type is not known.
func describeDetail(detail *connect.ErrorDetail) json.RawMessage {
	told := struct {
		Type  string `json:"type"`
		Value any    `json:"value"`
	}{detail.Type, detail.Value}
	if message, err := connectproto.UnmarshalErrorDetail(detail); err == nil {
		if text, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(message); err == nil {
			told.Value = json.RawMessage(text)
		}
	}
	text, _ := json.Marshal(told) // it is what was just made
	return text
}
