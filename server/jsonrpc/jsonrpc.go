// Package jsonrpc is JSON-RPC 2.0 over HTTP POST (https://www.jsonrpc.org/specification),
// a transport over the connect.Server: its methods are those that are registered
// there, and what stands before a method in other protocols stands before it here.
package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/transport"
)

// Protocol is the name of the protocol in logs, metrics and elsewhere.
const Protocol = "jsonrpc"

// ContentTypes are the media types of requests. The answer's is the first.
var ContentTypes = []string{"application/json", "application/json-rpc", "application/jsonrequest"}

// Options configures a [Handler].
type Options struct {
	// Methods are what can be called.
	Methods *transport.Methods
	// MaxMessageBytes is the largest body that is read, as sent and as unpacked.
	MaxMessageBytes int
	// Title and Version are what rpc.discover says of the server.
	Title, Version string
	// MayDescribe returns why the caller may not learn what can be called, or nil.
	// Default: everyone may.
	MayDescribe func(context.Context) error
	// Unknown is told of each call of a method that there is not. Default: nobody.
	Unknown func(protocol string)
	// Gate is what bodies have to pass before they are read. Default: nothing.
	Gate transport.Gate
}

// Handler answers calls. Make one with [New].
type Handler struct {
	opts     Options
	document json.RawMessage
}

// New makes a handler.
func New(opts Options) (*Handler, error) {
	if opts.Gate == nil {
		opts.Gate = transport.Open{}
	}
	document, err := json.Marshal(describe(opts))
	return &Handler{opts: opts, document: document}, err
}

// ServeHTTP answers a request or a batch. The HTTP status is 200 for every answer in
// JSON-RPC, errors too. A notification, or a batch of nothing else, has no answer:
// that is 204 for application/json, an empty 200 for the other types.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !transport.Accept(w, r, "JSON-RPC", ContentTypes...) {
		return
	}
	requests, batch, failed := h.read(w, r)
	caller := h.opts.Methods.Caller(Protocol, "json", w.Header(), r)
	switch {
	case failed != nil:
		answer(w, r, response(nil, nil, failed))
	case batch:
		h.serveBatch(w, r, caller, requests)
	default:
		if text := h.serve(r.Context(), caller, requests[0]); text != nil {
			answer(w, r, text)
			return
		}
		noAnswer(w, r)
	}
}

// read reads a body and parses it.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (requests []Request, batch bool, failed *Error) {
	parsed, err := h.opts.Gate.Admit(w, r)
	if err != nil {
		return nil, false, rpcError(err)
	}
	length := 0
	defer func() { // a parser that panics must not keep its turn
		if err := parsed(length); err != nil {
			requests, batch, failed = nil, false, rpcError(err)
		}
	}()
	body, err := transport.ReadBody(r, h.opts.MaxMessageBytes)
	if length = len(body); err != nil {
		return nil, false, rpcError(err)
	}
	return Parse(body)
}

// serveBatch calls one after the other, and sends each response when it is there, so
// that no more than one is held in memory.
func (h *Handler) serveBatch(w http.ResponseWriter, r *http.Request, caller *transport.Caller, requests []Request) {
	var out io.WriteCloser
	for _, request := range requests {
		if r.Context().Err() != nil {
			return // the caller is gone
		}
		text := h.serve(r.Context(), caller, request)
		if text == nil {
			continue
		}
		separator := ","
		if out == nil {
			w.Header().Set("Content-Type", ContentTypes[0])
			out = transport.Packed(w, r, -1)
			separator = "["
		}
		if _, err := io.WriteString(out, separator); err != nil {
			return // the caller is gone
		}
		if _, err := out.Write(text); err != nil {
			return
		}
	}
	if out == nil {
		noAnswer(w, r)
		return
	}
	_, _ = io.WriteString(out, "]") // an error means that the caller is gone
	_ = out.Close()
}

// serve calls, and returns the response, or nil for a notification.
func (h *Handler) serve(ctx context.Context, caller *transport.Caller, request Request) []byte {
	if request.Err != nil {
		return response(request.ID, nil, request.Err)
	}
	result, failed := h.call(ctx, caller, request)
	if request.ID == nil {
		return nil
	}
	return response(request.ID, result, failed)
}

// call returns a result or an error.
func (h *Handler) call(ctx context.Context, caller *transport.Caller, request Request) (json.RawMessage, *Error) {
	if request.Method == discover {
		if err := h.opts.Gate.Count(ctx); err != nil {
			return nil, rpcError(err)
		}
		if h.opts.MayDescribe != nil {
			if err := h.opts.MayDescribe(ctx); err != nil {
				return nil, rpcError(err)
			}
		}
		return h.document, nil
	}
	method, err := h.opts.Methods.Find(request.Method)
	if err != nil {
		if h.opts.Unknown != nil {
			h.opts.Unknown(Protocol)
		}
		if err := h.opts.Gate.Count(ctx); err != nil {
			return nil, rpcError(err)
		}
		return nil, notFound(err)
	}
	message, err := caller.Call(ctx, method, request.Params)
	if err != nil {
		return nil, rpcError(err)
	}
	var w writer
	if err := transport.WriteResult(&w, message); err != nil {
		return nil, specified(CodeInternal, "the result of %s cannot be written", method.Name())
	}
	return w.text, nil
}

// notFound says which method there is not, or where to call one that streams: that
// one is there, but not implemented here.
func notFound(err error) *Error {
	streams, ok := errors.AsType[*transport.StreamsError](err)
	if !ok {
		return specified(CodeMethodNotFound, "%s", err)
	}
	return &Error{Code: CodeServer - Code(connect.CodeUnimplemented), Message: err.Error(), Data: map[string]any{
		"code":      connect.CodeUnimplemented.String(),
		"procedure": "/" + streams.Method.Full,
		"protocols": []string{connect.ProtocolNameConnect, connect.ProtocolNameGRPC, connect.ProtocolNameGRPCWeb},
	}}
}

// rpcError is the error object of a call that failed.
func rpcError(err error) *Error {
	if params, ok := errors.AsType[*transport.ParamsError](err); ok {
		return specified(CodeInvalidParams, "%s", params.Reason)
	}
	status := transport.Describe(err)
	data := map[string]any{"code": status.Code.String()}
	if status.Details != nil {
		data["details"] = status.Details
	}
	return &Error{Code: CodeServer - Code(status.Code), Message: status.Message, Data: data}
}

// response writes a response object; without an id its id is null.
func response(id, result json.RawMessage, failed *Error) []byte {
	name, value := "result", result
	if failed != nil {
		name = "error"
		value, _ = json.Marshal(failed) // it is made of what can be
	}
	if id == nil {
		id = json.RawMessage("null")
	}
	text := make([]byte, 0, len(value)+len(id)+64)
	text = append(text, `{"jsonrpc":"2.0","`...)
	text = append(text, name...)
	text = append(text, `":`...)
	text = append(text, value...)
	text = append(text, `,"id":`...)
	text = append(text, id...)
	return append(text, '}')
}

// noAnswer ends a call that has none with HTTP's status for that; but clients that
// send a type of their own, such as jsonrpclib, take all but 200 for a failure.
func noAnswer(w http.ResponseWriter, r *http.Request) {
	if transport.HasType(r, ContentTypes[0]) {
		w.WriteHeader(http.StatusNoContent)
	}
}

func answer(w http.ResponseWriter, r *http.Request, text []byte) {
	w.Header().Set("Content-Type", ContentTypes[0])
	out := transport.Packed(w, r, len(text))
	_, _ = out.Write(text) // an error means that the caller is gone
	_ = out.Close()
}
