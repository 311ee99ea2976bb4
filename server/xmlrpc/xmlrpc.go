// Package xmlrpc is XML-RPC over HTTP POST (http://xmlrpc.com/spec.md), with the
// introspection and multicall that became customary, a transport over the
// connect.Server: its methods are those that are registered there, and what stands
// before a method in other protocols stands before it here.
package xmlrpc

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/server/transport"
)

// Protocol is the name of the protocol in logs, metrics and elsewhere.
const Protocol = "xmlrpc"

// ContentTypes are the media types of requests. The answer's is the first.
var ContentTypes = []string{"text/xml", "application/xml"}

// Options configures a [Handler].
type Options struct {
	// Methods are what can be called.
	Methods *transport.Methods
	// MaxMessageBytes is the largest body that is read, as sent and as unpacked.
	MaxMessageBytes int
	// MayDescribe returns why the caller may not learn what can be called, or nil.
	// Default: everyone may.
	MayDescribe func(context.Context) error
	// Unknown is told of each call of a method that there is not. Default: nobody.
	Unknown func(protocol string)
	// Gate is what bodies have to pass before they are read. Default: nothing.
	Gate transport.Gate
}

func (o *Options) mayDescribe(ctx context.Context) error {
	if o.MayDescribe == nil {
		return nil
	}
	return o.MayDescribe(ctx)
}

// Handler answers calls. Make one with [New]. It is safe for concurrent use.
type Handler struct{ opts Options }

// New makes a handler.
func New(opts Options) *Handler {
	if opts.Gate == nil {
		opts.Gate = transport.Open{}
	}
	return &Handler{opts: opts}
}

const (
	prologue = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<methodResponse>"
	epilogue = "</methodResponse>\n"
)

// ServeHTTP answers a call. The HTTP status is 200 for faults too, as the
// specification has it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !transport.Accept(w, r, "XML-RPC", ContentTypes...) {
		return
	}
	caller := h.opts.Methods.Caller(Protocol, "xml", w.Header(), r)
	call, err := h.read(w, r)
	if err == nil && call.Method == multicall {
		h.serveMulticall(w, r, caller, call)
		return
	}
	var out writer
	out.raw(prologue + "<params><param>")
	if err == nil {
		err = h.call(r.Context(), caller, call, &out)
	}
	if err != nil {
		out.text.Reset()
		out.raw(prologue + "<fault>")
		writeFault(&out, err)
		out.raw("</fault>" + epilogue)
	} else {
		out.raw("</param></params>" + epilogue)
	}
	w.Header().Set("Content-Type", ContentTypes[0]+"; charset=utf-8")
	body := transport.Packed(w, r, out.text.Len())
	_, _ = out.text.WriteTo(body) // an error means that the caller is gone
	_ = body.Close()
}

// read reads a body and parses it.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (call Call, err error) {
	parsed, err := h.opts.Gate.Admit(w, r)
	if err != nil {
		return Call{}, err
	}
	length := 0
	defer func() { // a parser that panics must not keep its turn
		if refused := parsed(length); refused != nil {
			call, err = Call{}, refused
		}
	}()
	body, err := transport.ReadBody(r, h.opts.MaxMessageBytes)
	if length = len(body); err != nil {
		return Call{}, err
	}
	if call, err = Parse(body); err != nil {
		return Call{}, connect.Errorf(connect.CodeInvalidArgument, "the body is no XML-RPC call: %s", err)
	}
	return call, nil
}

// call writes the result of a call as one value. What it has written when it fails
// is of no use.
func (h *Handler) call(ctx context.Context, caller *transport.Caller, call Call, out *writer) error {
	if system, ok := systemMethods[call.Method]; ok {
		if err := h.opts.Gate.Count(ctx); err != nil {
			return err
		}
		if err := h.opts.mayDescribe(ctx); err != nil {
			return err
		}
		return system.call(h.opts.Methods, call.Params, out)
	}
	method, err := h.opts.Methods.Find(call.Method)
	if err != nil {
		if h.opts.Unknown != nil {
			h.opts.Unknown(Protocol)
		}
		if err := h.opts.Gate.Count(ctx); err != nil {
			return err
		}
		return connect.NewError(connect.CodeUnimplemented, err.Error())
	}
	response, err := caller.Call(ctx, method, params(call.Params))
	if err != nil {
		return err
	}
	if err := transport.WriteResult(out, response); err != nil {
		return connect.Errorf(connect.CodeInternal, "the result of %s cannot be written", method.Name()).WithCause(err)
	}
	return nil
}

// params takes one struct for params by name, which XML-RPC has no other way for,
// and all else for params by position.
func params(positional []json.RawMessage) transport.Params {
	if len(positional) == 1 && positional[0][0] == '{' {
		return transport.Params{Named: positional[0]}
	}
	return transport.Params{Positional: positional}
}

// writeFault writes a fault's struct. Its code is that of the RPC, such as 5 for
// NOT_FOUND.
func writeFault(out *writer, err error) {
	status := transport.Describe(err)
	out.BeginStruct()
	out.BeginMember("faultCode")
	out.Int(int64(status.Code))
	out.EndMember()
	out.BeginMember("faultString")
	out.String(status.Message)
	out.EndMember()
	out.EndStruct()
}

// multicall is the method that calls others.
const multicall = "system.multicall"

// MaxMulticall is how many calls a system.multicall may have.
const MaxMulticall = 1000

// serveMulticall calls one after the other, and sends each result when it is there,
// so that no more than one is held in memory.
func (h *Handler) serveMulticall(w http.ResponseWriter, r *http.Request, caller *transport.Caller, outer Call) {
	w.Header().Set("Content-Type", ContentTypes[0]+"; charset=utf-8")
	calls, err := inner(outer.Params)
	if err != nil {
		var out writer
		out.raw(prologue + "<fault>")
		writeFault(&out, err)
		out.raw("</fault>" + epilogue)
		_, _ = out.text.WriteTo(w) // an error means that the caller is gone
		return
	}
	var body io.WriteCloser
	var out writer
	out.raw(prologue + "<params><param><value><array><data>")
	for _, call := range calls {
		if r.Context().Err() != nil {
			return // the caller is gone
		}
		var one writer
		one.BeginArray()
		if err := h.call(r.Context(), caller, call, &one); err != nil {
			one.text.Reset()
			writeFault(&one, err)
		} else {
			one.EndArray()
		}
		_, _ = one.text.WriteTo(&out.text) // a buffer takes all
		if body == nil {
			body = transport.Packed(w, r, -1) // when the first call has set its headers
		}
		if _, err := out.text.WriteTo(body); err != nil {
			return // the caller is gone
		}
	}
	if body == nil {
		body = transport.Packed(w, r, out.text.Len())
	}
	out.raw("</data></array></value></param></params>" + epilogue)
	_, _ = out.text.WriteTo(body)
	_ = body.Close()
}

// inner reads the one param of system.multicall: an array of structs with a
// methodName and params.
func inner(outer []json.RawMessage) ([]Call, error) {
	var list []struct {
		MethodName *string           `json:"methodName"`
		Params     []json.RawMessage `json:"params"`
	}
	if len(outer) != 1 || json.Unmarshal(outer[0], &list) != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, multicall+" takes one array of structs with a methodName and an array of params")
	}
	if len(list) > MaxMulticall {
		return nil, connect.NewError(connect.CodeInvalidArgument, "more than "+strconv.Itoa(MaxMulticall)+" calls are too many; send them in parts")
	}
	calls := make([]Call, len(list))
	for i, item := range list {
		if item.MethodName == nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, "call "+strconv.Itoa(i)+" has no methodName")
		}
		calls[i] = Call{Method: *item.MethodName, Params: item.Params}
	}
	return calls, nil
}
