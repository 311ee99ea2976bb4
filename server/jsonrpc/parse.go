package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/vitals-rpc/vitals/server/transport"
)

// Limits of what is parsed, beside the size of the body.
const (
	// MaxBatch is how many requests a batch may have.
	MaxBatch = 1000
	// MaxDepth is how deep arrays and objects may be nested.
	MaxDepth = 100
)

// Code is an error code of the specification.
type Code int

// The codes of the specification, with its words for them. An RPC code becomes
// CodeServer less its number: NOT_FOUND, which is 5, is -32005.
const (
	CodeParse          Code = -32700
	CodeInvalidRequest Code = -32600
	CodeMethodNotFound Code = -32601
	CodeInvalidParams  Code = -32602
	CodeInternal       Code = -32603
	CodeServer         Code = -32000
)

var words = map[Code]string{
	CodeParse:          "Parse error",
	CodeInvalidRequest: "Invalid Request",
	CodeMethodNotFound: "Method not found",
	CodeInvalidParams:  "Invalid params",
	CodeInternal:       "Internal error",
}

// Error is an error object of a response.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %v", e.Code, e.Message, e.Data) }

// specified is an error of the specification: its words as the message, and ours
// in the data.
func specified(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: words[code], Data: map[string]any{"reason": fmt.Sprintf(format, args...)}}
}

// Request is one request object, or what is wrong with it.
type Request struct {
	// ID is the id as it was sent: a string, a number or null. Nil: it is a
	// notification, which gets no response.
	ID     json.RawMessage
	Method string
	Params transport.Params
	// Err is why the object is no request, which is answered also without an id.
	Err *Error
}

// Parse reads the body of a call: one request, or a batch of them.
func Parse(body []byte) (requests []Request, batch bool, err *Error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if err := check(body); err != nil {
		return nil, false, err
	}
	if first(body) != '[' {
		return []Request{parseRequest(body)}, false, nil
	}
	items, more := array(body, MaxBatch)
	switch {
	case len(items) == 0:
		return nil, false, specified(CodeInvalidRequest, "the batch is empty")
	case more:
		return nil, false, specified(CodeInvalidRequest, "the batch has more than %d requests; send it in parts", MaxBatch)
	}
	for _, item := range items {
		requests = append(requests, parseRequest(item))
	}
	return requests, true, nil
}

// check sees to it that a body is JSON within the limits, so that what reads its
// parts need not.
func check(body []byte) *Error {
	if !utf8.Valid(body) {
		return specified(CodeParse, "the body is not UTF-8")
	}
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			if depth++; depth > MaxDepth {
				return specified(CodeParse, "arrays and objects are nested deeper than %d", MaxDepth)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	if !json.Valid(body) {
		var syntax *json.SyntaxError
		if err := json.Unmarshal(body, new(json.RawMessage)); errors.As(err, &syntax) {
			return specified(CodeParse, "the body is not JSON: %s, at byte %d", syntax, syntax.Offset)
		}
		return specified(CodeParse, "the body is not JSON")
	}
	return nil
}

// first is the first byte that is no white space.
func first(text []byte) byte {
	if text = bytes.TrimLeft(text, " \t\r\n"); len(text) > 0 {
		return text[0]
	}
	return 0
}

// array returns the items of a valid array, and whether it has more than that many.
func array(text []byte, most int) (items []json.RawMessage, more bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, _ = decoder.Token() // the bracket
	for decoder.More() {
		if len(items) == most {
			return items, true
		}
		var item json.RawMessage
		_ = decoder.Decode(&item) // the text is valid
		items = append(items, item)
	}
	return items, false
}

// maxParams is more than any method takes, and bounds what is read before it is
// known which one is called.
const maxParams = 1000

// parseRequest reads one request object of valid JSON. Members that the
// specification does not name are passed over.
func parseRequest(text []byte) (r Request) {
	members, err := object(text, "jsonrpc", "id", "method", "params")
	if err != nil {
		return Request{Err: err}
	}
	fail := func(format string, args ...any) {
		if r.Err == nil {
			r.Err = specified(CodeInvalidRequest, format, args...)
		}
	}
	if id, ok := members["id"]; ok {
		if c := first(id); c == '"' || c == 'n' || c == '-' || c >= '0' && c <= '9' {
			r.ID = id
		} else {
			fail("the id is neither a string nor a number nor null")
		}
	}
	if string(members["jsonrpc"]) != `"2.0"` {
		fail(`the member jsonrpc is not "2.0"`)
	}
	if method, ok := members["method"]; !ok || first(method) != '"' || json.Unmarshal(method, &r.Method) != nil {
		fail("the method is not a string")
	}
	if params, ok := members["params"]; ok {
		switch first(params) {
		case '{':
			r.Params.Named = params
		case '[':
			var more bool
			if r.Params.Positional, more = array(params, maxParams); more {
				fail("there are more than %d params", maxParams)
			}
		default:
			fail("the params are neither an array nor an object")
		}
	}
	return r
}

// object returns the named members of a valid object. One that is there twice is an
// error, for readers differ in which of them they take.
func object(text []byte, names ...string) (map[string]json.RawMessage, *Error) {
	if first(text) != '{' {
		return nil, specified(CodeInvalidRequest, "a request is an object")
	}
	members := make(map[string]json.RawMessage, len(names))
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, _ = decoder.Token() // the brace
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, specified(CodeParse, "%v", err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			return nil, specified(CodeParse, "%v", err)
		}
		for _, name := range names {
			if token != name {
				continue
			}
			if _, twice := members[name]; twice {
				return nil, specified(CodeInvalidRequest, "the member %s is there twice", name)
			}
			members[name] = value
		}
	}
	return members, nil
}
