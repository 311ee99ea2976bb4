package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Params are what a caller gives a method, as JSON: either by name or by
// position. The zero value is none.
type Params struct {
	// Named is an object whose members are fields of the request, by their names
	// in snake_case or in camelCase.
	Named json.RawMessage
	// Positional are the first fields of the request. Null leaves one out.
	Positional []json.RawMessage
}

// ParamsError says that params are not what the method takes.
type ParamsError struct{ Reason string }

func (e *ParamsError) Error() string { return e.Reason }

// Decode fills in the request of a method. What is left out is zero, as in every
// protocol.
//
// Errors: [*ParamsError].
func (p Params) Decode(m *Method, request proto.Message) error {
	text := []byte(p.Named)
	if len(p.Positional) > 0 {
		var err error
		if text, err = byName(m, p.Positional); err != nil {
			return err
		}
	}
	if len(text) == 0 {
		return nil
	}
	if err := protojson.Unmarshal(text, request); err != nil {
		return &ParamsError{Reason: fmt.Sprintf("%s; %s", reason(err), takes(m))}
	}
	return nil
}

// byName writes params by position as the object that they stand for.
func byName(m *Method, positional []json.RawMessage) ([]byte, error) {
	fields := m.Params()
	if len(positional) > len(fields) {
		return nil, &ParamsError{Reason: fmt.Sprintf("%d params are too many; %s", len(positional), takes(m))}
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, value := range positional {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", fields[i].Name(), value) // a field's name is plain ASCII
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// takes says what a method takes.
func takes(m *Method) string {
	fields := m.Params()
	if len(fields) == 0 {
		return m.Name() + " takes no params"
	}
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = fmt.Sprintf("%s (%s)", field.Name(), kind(field))
	}
	return m.Name() + " takes " + strings.Join(names, ", ")
}

// kind is the type of a field as a .proto file has it.
func kind(field protoreflect.FieldDescriptor) string {
	if field.IsMap() {
		return fmt.Sprintf("map<%s, %s>", kind(field.MapKey()), kind(field.MapValue()))
	}
	name := field.Kind().String()
	switch {
	case field.Message() != nil:
		name = string(field.Message().Name())
	case field.Enum() != nil:
		name = string(field.Enum().Name())
	}
	if field.IsList() {
		return "repeated " + name
	}
	return name
}

// reason is what protobuf says is wrong, without its prefix and the place, which is
// one in JSON that the caller may never have seen.
func reason(err error) string {
	text := strings.TrimPrefix(err.Error(), "proto:")
	text = strings.TrimLeft(text, " \u00a0") // it varies, so that nobody relies on it
	if strings.HasPrefix(text, "(line ") {
		if _, rest, ok := strings.Cut(text, "): "); ok {
			text = rest
		}
	}
	return text
}
