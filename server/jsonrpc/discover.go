package jsonrpc

import (
	"cmp"
	"maps"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vitals-rpc/vitals/gen/comments"
	"github.com/vitals-rpc/vitals/server/transport"
)

// discover is the method that describes all others, a name of OpenRPC's.
const discover = "rpc.discover"

// node is an object of the OpenRPC document (https://spec.open-rpc.org) or of JSON
// Schema, draft 7, which it uses.
type node = map[string]any

// describe makes the OpenRPC document of the methods.
func describe(opts Options) node {
	d := &describer{schemas: node{}}
	methods := []node{{
		"name": discover, "summary": "Describes all methods in an OpenRPC document.", "params": []node{},
		"result": node{"name": "document", "schema": node{"type": "object"}},
	}}
	for _, m := range opts.Methods.Callable() {
		methods = append(methods, d.method(m))
	}
	return node{
		"openrpc": "1.3.2",
		"info": node{
			"title": opts.Title, "version": opts.Version,
			"description": "Every unary method of every service, by its short name or by its full one. Params go by position or by name; what is left out is zero. 64-bit numbers beyond 2^53 are strings of digits.",
		},
		"methods":    methods,
		"components": node{"schemas": d.schemas},
	}
}

// describer collects the schemas of the messages and enums that it meets.
type describer struct{ schemas node }

func (d *describer) method(m *transport.Method) node {
	help := m.Help()
	summary, rest, _ := strings.Cut(help, "\n")
	out := node{"name": m.Name(), "summary": cmp.Or(summary, m.Full), "params": d.params(m), "paramStructure": "either", "result": d.result(m), "x-procedure": "/" + m.Full}
	if rest = strings.TrimSpace(rest); rest != "" {
		out["description"] = rest
	}
	service := m.Descriptor.Parent().FullName()
	out["tags"] = []node{{"name": string(service)}}
	return out
}

func (d *describer) params(m *transport.Method) []node {
	params := []node{}
	for _, field := range m.Params() {
		params = append(params, content(string(field.Name()), comments.Of(field.FullName()), d.field(field)))
	}
	return params
}

func (d *describer) result(m *transport.Method) node {
	output := m.Descriptor.Output()
	if field := transport.Bare(output); field != nil {
		return content(string(field.Name()), comments.Of(field.FullName()), d.field(field))
	}
	return content(string(output.Name()), comments.Of(output.FullName()), d.message(output))
}

func content(name, description string, schema node) node {
	out := node{"name": name, "schema": schema}
	if description != "" {
		out["description"] = description
	}
	return out
}

// field is the schema of a field's value.
func (d *describer) field(field protoreflect.FieldDescriptor) node {
	switch {
	case field.IsMap():
		return node{"type": "object", "additionalProperties": d.value(field.MapValue())}
	case field.IsList():
		return node{"type": "array", "items": d.value(field)}
	}
	return d.value(field)
}

func (d *describer) value(field protoreflect.FieldDescriptor) node {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return node{"type": "boolean"}
	case protoreflect.StringKind:
		return node{"type": "string"}
	case protoreflect.BytesKind:
		return node{"type": "string", "contentEncoding": "base64"}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return node{"anyOf": []node{{"type": "number"}, {"enum": []string{"NaN", "Infinity", "-Infinity"}}}}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return node{"type": "integer", "minimum": -1 << 31, "maximum": 1<<31 - 1}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return node{"type": "integer", "minimum": 0, "maximum": 1<<32 - 1}
	case protoreflect.EnumKind:
		return d.enum(field.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return d.message(field.Message())
	}
	return node{"anyOf": []node{{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]+$"}}}
}

func ref(name protoreflect.FullName) node {
	return node{"$ref": "#/components/schemas/" + string(name)}
}

func (d *describer) enum(enum protoreflect.EnumDescriptor) node {
	name := enum.FullName()
	if d.schemas[string(name)] == nil {
		var names []string
		for i := range enum.Values().Len() {
			names = append(names, string(enum.Values().Get(i).Name()))
		}
		d.schemas[string(name)] = described(node{"anyOf": []node{{"enum": names}, {"type": "integer"}}}, name)
	}
	return ref(name)
}

// wellKnown are the schemas of the messages with a form of their own.
var wellKnown = map[protoreflect.FullName]node{
	"google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
	"google.protobuf.Duration":  {"type": "string", "pattern": `^-?[0-9]+(\.[0-9]+)?s$`},
	"google.protobuf.FieldMask": {"type": "string"},
	"google.protobuf.Struct":    {"type": "object"},
	"google.protobuf.ListValue": {"type": "array"},
}

func (d *describer) message(message protoreflect.MessageDescriptor) node {
	name := message.FullName()
	if schema, ok := wellKnown[name]; ok {
		return schema
	}
	if name.Parent() == "google.protobuf" {
		return node{} // any value
	}
	if d.schemas[string(name)] == nil {
		properties := node{}
		schema := described(node{"type": "object", "properties": properties}, name)
		d.schemas[string(name)] = schema // before its fields, among which it may be
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			properties[string(field.Name())] = d.property(field)
		}
	}
	return ref(name)
}

// property is a field of a message, which may be null where its absence is seen.
func (d *describer) property(field protoreflect.FieldDescriptor) node {
	schema := d.field(field)
	if field.HasPresence() {
		schema = node{"anyOf": []node{schema, {"type": "null"}}}
	}
	return described(schema, field.FullName())
}

// described adds the comment, to a copy, beside which a reference cannot stand.
func described(schema node, name protoreflect.FullName) node {
	text := comments.Of(name)
	if text == "" {
		return schema
	}
	if schema["$ref"] != nil {
		return node{"allOf": []node{schema}, "description": text}
	}
	out := node{"description": text}
	maps.Copy(out, schema)
	return out
}
