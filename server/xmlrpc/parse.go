package xmlrpc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what is parsed, beside the size of the body.
const (
	// MaxDepth is how deep arrays and structs may be nested.
	MaxDepth = 64
	// MaxValues is how many values a call may have, those in arrays and structs
	// included.
	MaxValues = 200_000
	// MaxParams is how many params a call may have.
	MaxParams = 1000
)

// Call is a method call: a name, and the params as JSON, which is how protobuf
// takes them: a dateTime.iso8601 as an RFC 3339 text, base64 as itself, a double
// that JSON has no number for in protobuf's words.
type Call struct {
	Method string
	Params []json.RawMessage
}

// Parse reads a methodCall. Document types, and so entities of one's own, are
// refused; elements that do not belong there too.
func Parse(body []byte) (Call, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	p := &parser{decoder: xml.NewDecoder(bytes.NewReader(body))}
	p.decoder.CharsetReader = charset
	call, err := p.call()
	if err != nil {
		return Call{}, fmt.Errorf("%w, at byte %d", err, p.decoder.InputOffset())
	}
	return call, nil
}

type parser struct {
	decoder *xml.Decoder
	values  int
	depth   int
}

// errEnd is the end of the element that is read, where a child might have been.
var errEnd = errors.New("the element ends")

// child returns the next child element, or errEnd. Text between elements is an error
// but for white space.
func (p *parser) child() (string, error) {
	for {
		token, err := p.decoder.Token()
		if err != nil {
			return "", syntax(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", errEnd
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return "", fmt.Errorf("there is text between elements: %.40q", t)
			}
		case xml.Directive:
			return "", errors.New("a document type is not taken")
		}
	}
}

func syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the document ends too early")
	}
	return err
}

// open reads the beginning of a child that has to be there.
func (p *parser) open(name string) error {
	got, err := p.child()
	if errors.Is(err, errEnd) {
		return fmt.Errorf("<%s> is missing", name)
	}
	if err == nil && got != name {
		return fmt.Errorf("<%.40s> stands where <%s> belongs", got, name)
	}
	return err
}

// end reads the end of an element that has no more children.
func (p *parser) end() error {
	got, err := p.child()
	if errors.Is(err, errEnd) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("<%.40s> does not belong there", got)
	}
	return err
}

// text reads what is left of an element that has no children.
func (p *parser) text() (string, error) {
	var b strings.Builder
	for {
		token, err := p.decoder.Token()
		if err != nil {
			return "", syntax(err)
		}
		switch t := token.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			return "", fmt.Errorf("<%.40s> does not belong there", t.Name.Local)
		case xml.EndElement:
			return b.String(), nil
		case xml.Directive:
			return "", errors.New("a document type is not taken")
		}
	}
}

func (p *parser) call() (call Call, err error) {
	if err = p.open("methodCall"); err != nil {
		return call, err
	}
	if err = p.open("methodName"); err != nil {
		return call, err
	}
	name, err := p.text()
	if err != nil {
		return call, err
	}
	call.Method = strings.TrimSpace(name)
	switch name, err := p.child(); {
	case errors.Is(err, errEnd): // there may be none
		return call, p.nothing()
	case err != nil:
		return call, err
	case name != "params":
		return call, fmt.Errorf("<%.40s> stands where <params> belongs", name)
	}
	if call.Params, err = p.params(); err != nil {
		return call, err
	}
	if err = p.end(); err != nil {
		return call, err
	}
	return call, p.nothing()
}

// nothing reads the end of the document.
func (p *parser) nothing() error {
	for {
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errors.New("there is text behind the call")
			}
		case xml.StartElement, xml.Directive:
			return errors.New("there is more behind the call")
		}
	}
}

func (p *parser) params() (params []json.RawMessage, err error) {
	for {
		switch name, err := p.child(); {
		case errors.Is(err, errEnd):
			return params, nil
		case err != nil:
			return nil, err
		case name != "param":
			return nil, fmt.Errorf("<%.40s> stands where <param> belongs", name)
		case len(params) == MaxParams:
			return nil, fmt.Errorf("there are more than %d params", MaxParams)
		}
		if err := p.open("value"); err != nil {
			return nil, err
		}
		param, err := p.value(nil)
		if err != nil {
			return nil, err
		}
		if err := p.end(); err != nil {
			return nil, err
		}
		params = append(params, param)
	}
}

// value reads the rest of a <value> and appends it to out as JSON.
func (p *parser) value(out []byte) ([]byte, error) {
	if p.values++; p.values > MaxValues {
		return nil, fmt.Errorf("there are more than %d values; send less at once", MaxValues)
	}
	var bare strings.Builder // a value without a type is a string
	for {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, syntax(err)
		}
		switch t := token.(type) {
		case xml.CharData:
			bare.Write(t)
		case xml.EndElement:
			return appendString(out, bare.String()), nil
		case xml.Directive:
			return nil, errors.New("a document type is not taken")
		case xml.StartElement:
			if strings.TrimSpace(bare.String()) != "" {
				return nil, fmt.Errorf("there is text before <%.40s>", t.Name.Local)
			}
			if out, err = p.typed(out, t.Name.Local); err != nil {
				return nil, err
			}
			return out, p.end()
		}
	}
}

// typed reads the rest of the element that says a value's type.
func (p *parser) typed(out []byte, kind string) ([]byte, error) {
	switch kind {
	case "struct":
		return p.nested(out, p.members)
	case "array":
		return p.nested(out, p.items)
	}
	text, err := p.text()
	if err != nil {
		return nil, err
	}
	if kind == "string" {
		return appendString(out, text), nil
	}
	if out, err = appendScalar(out, kind, strings.TrimSpace(text)); err != nil {
		return nil, fmt.Errorf("%.60q is no %s: %w", text, kind, err)
	}
	return out, nil
}

func (p *parser) nested(out []byte, read func([]byte) ([]byte, error)) ([]byte, error) {
	if p.depth++; p.depth > MaxDepth {
		return nil, fmt.Errorf("arrays and structs are nested deeper than %d", MaxDepth)
	}
	defer func() { p.depth-- }()
	return read(out)
}

func (p *parser) items(out []byte) ([]byte, error) {
	if err := p.open("data"); err != nil {
		return nil, err
	}
	out = append(out, '[')
	for first := true; ; first = false {
		switch name, err := p.child(); {
		case errors.Is(err, errEnd):
			return append(out, ']'), p.end()
		case err != nil:
			return nil, err
		case name != "value":
			return nil, fmt.Errorf("<%.40s> stands where <value> belongs", name)
		}
		if !first {
			out = append(out, ',')
		}
		var err error
		if out, err = p.value(out); err != nil {
			return nil, err
		}
	}
}

func (p *parser) members(out []byte) ([]byte, error) {
	out = append(out, '{')
	for first := true; ; first = false {
		switch name, err := p.child(); {
		case errors.Is(err, errEnd):
			return append(out, '}'), nil
		case err != nil:
			return nil, err
		case name != "member":
			return nil, fmt.Errorf("<%.40s> stands where <member> belongs", name)
		}
		if !first {
			out = append(out, ',')
		}
		var err error
		if out, err = p.member(out); err != nil {
			return nil, err
		}
	}
}

func (p *parser) member(out []byte) ([]byte, error) {
	if err := p.open("name"); err != nil {
		return nil, err
	}
	name, err := p.text()
	if err != nil {
		return nil, err
	}
	out = append(appendString(out, name), ':')
	if err := p.open("value"); err != nil {
		return nil, err
	}
	if out, err = p.value(out); err != nil {
		return nil, err
	}
	return out, p.end()
}

// Why a text is not of its type.
var (
	errForm  = errors.New("it is not of that form")
	errType  = errors.New("the type is not known; there are int, i4, i8, boolean, string, double, dateTime.iso8601, base64, struct, array and nil")
	errEmpty = errors.New("nil has no content")
)

func appendScalar(out []byte, kind, text string) ([]byte, error) {
	switch kind {
	case "int", "i4":
		return appendInt(out, text, 32)
	case "i8":
		return appendInt(out, text, 64)
	case "boolean":
		switch text {
		case "1":
			return append(out, "true"...), nil
		case "0":
			return append(out, "false"...), nil
		}
		return nil, errForm
	case "double":
		return appendDouble(out, text)
	case "dateTime.iso8601":
		return appendTime(out, text)
	case "base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errForm
		}
		return appendString(out, base64.StdEncoding.EncodeToString(data)), nil
	case "nil":
		if text != "" {
			return nil, errEmpty
		}
		return append(out, "null"...), nil
	}
	return nil, errType
}

func appendInt(out []byte, text string, bits int) ([]byte, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	if errors.Is(err, strconv.ErrRange) {
		return nil, fmt.Errorf("it does not fit into %d bits", bits)
	}
	if err != nil {
		return nil, errForm
	}
	return strconv.AppendInt(out, n, 10), nil
}

func appendDouble(out []byte, text string) ([]byte, error) {
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || strings.ContainsAny(text, "xX_"):
		return nil, errForm
	case math.IsNaN(v):
		return append(out, `"NaN"`...), nil
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...), nil
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...), nil
	}
	return strconv.AppendFloat(out, v, 'g', -1, 64), nil
}

// timeForms are the specification's form of a time, which has no zone, and what
// clients send beside it. Without a zone it is UTC.
var timeForms = []string{"20060102T15:04:05", "2006-01-02T15:04:05", "20060102T150405"}

func appendTime(out []byte, text string) ([]byte, error) {
	for _, form := range timeForms {
		for _, zone := range []string{"", "Z07:00", "Z0700"} {
			if at, err := time.Parse(form+zone, text); err == nil { // takes fractions of a second too
				return appendString(out, at.UTC().Format(time.RFC3339Nano)), nil
			}
		}
	}
	return nil, errForm
}

// appendString appends a text as a JSON string.
func appendString(out []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // every text can be written
	return append(out, quoted...)
}

// charset reads the encodings that old clients declare, beside UTF-8.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "us-ascii", "ascii":
		return in, nil // what is beyond is no UTF-8 then, which the decoder refuses
	case "iso-8859-1", "latin1", "latin-1":
		return &latin1{in: in}, nil
	}
	return nil, fmt.Errorf("encoding %.40q is not known; send UTF-8", name)
}

// latin1 reads ISO 8859-1, whose bytes are the first 256 characters of Unicode.
type latin1 struct {
	in   io.Reader
	left []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(l.left) == 0 {
		var raw [512]byte
		n, err := l.in.Read(raw[:])
		if n == 0 {
			return 0, err
		}
		for _, c := range raw[:n] {
			l.left = utf8.AppendRune(l.left, rune(c))
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}
