package xmlrpc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vitals-rpc/vitals/gen/comments"
	"github.com/vitals-rpc/vitals/server/transport"
)

// systemMethod is one of the methods about methods.
type systemMethod struct {
	help      string
	signature []string // the result's type, then the params'
	call      func(methods *transport.Methods, params []json.RawMessage, out *writer) error
}

// systemMethods are made in init, for they speak of each other.
var systemMethods map[string]systemMethod

func init() {
	systemMethods = map[string]systemMethod{
		"system.listMethods":     {"Lists the names of all methods.", []string{"array"}, listMethods},
		"system.methodHelp":      {"Says what a method does, what it takes and what it returns.", []string{"string", "string"}, methodHelp},
		"system.methodSignature": {"Lists the ways to call a method, each as the type of its result and those of its params.", []string{"array", "string"}, methodSignature},
		multicall: {"Makes several calls. It takes an array of structs with a methodName and an array of params, and returns an array with, for each, an array of its one result, or a fault's struct.", []string{"array", "array"}, func(*transport.Methods, []json.RawMessage, *writer) error {
			return connect.NewError(connect.CodeInvalidArgument, multicall+" cannot call itself")
		}},
	}
}

func listMethods(methods *transport.Methods, params []json.RawMessage, out *writer) error {
	if len(params) > 0 {
		return connect.NewError(connect.CodeInvalidArgument, "system.listMethods takes no params")
	}
	out.BeginArray()
	for _, m := range methods.Callable() {
		out.String(m.Name())
	}
	for _, name := range slices.Sorted(maps.Keys(systemMethods)) {
		out.String(name)
	}
	out.EndArray()
	return nil
}

// asked reads the param of a method about a method.
func asked(params []json.RawMessage) (name string, err error) {
	if len(params) != 1 || json.Unmarshal(params[0], &name) != nil {
		return "", connect.NewError(connect.CodeInvalidArgument, "the one param is the name of a method")
	}
	return name, nil
}

func methodHelp(methods *transport.Methods, params []json.RawMessage, out *writer) error {
	name, err := asked(params)
	if err != nil {
		return err
	}
	if system, ok := systemMethods[name]; ok {
		out.String(system.help)
		return nil
	}
	m, err := methods.Find(name)
	if err != nil {
		return connect.NewError(connect.CodeUnimplemented, err.Error())
	}
	out.String(help(m))
	return nil
}

// help is the comment on a method, and what its params and result are.
func help(m *transport.Method) string {
	var b strings.Builder
	b.WriteString(m.Help())
	fields := m.Params()
	if len(fields) > 0 {
		b.WriteString("\n\nParams, by position, or by name in one struct:\n")
	}
	for _, field := range fields {
		fmt.Fprintf(&b, "  %s (%s): %s\n", field.Name(), typeOf(field), comments.Of(field.FullName()))
	}
	if output := m.Descriptor.Output(); transport.Bare(output) == nil && output.Fields().Len() > 0 {
		b.WriteString("\nReturns a struct of:\n")
		for i := range output.Fields().Len() {
			field := output.Fields().Get(i)
			fmt.Fprintf(&b, "  %s (%s): %s\n", field.Name(), typeOf(field), comments.Of(field.FullName()))
		}
	}
	return strings.TrimSpace(b.String())
}

func methodSignature(methods *transport.Methods, params []json.RawMessage, out *writer) error {
	name, err := asked(params)
	if err != nil {
		return err
	}
	if system, ok := systemMethods[name]; ok {
		writeSignatures(out, system.signature)
		return nil
	}
	m, err := methods.Find(name)
	if err != nil {
		return connect.NewError(connect.CodeUnimplemented, err.Error())
	}
	result := "struct"
	if field := transport.Bare(m.Descriptor.Output()); field != nil {
		result = typeOf(field)
	}
	byPosition := []string{result}
	for _, field := range m.Params() {
		byPosition = append(byPosition, typeOf(field))
	}
	if len(byPosition) == 1 {
		writeSignatures(out, byPosition)
		return nil
	}
	writeSignatures(out, byPosition, []string{result, "struct"})
	return nil
}

func writeSignatures(out *writer, signatures ...[]string) {
	out.BeginArray()
	for _, signature := range signatures {
		out.BeginArray()
		for _, kind := range signature {
			out.String(kind)
		}
		out.EndArray()
	}
	out.EndArray()
}

// typeOf is the type of a field's value.
func typeOf(field protoreflect.FieldDescriptor) string {
	switch {
	case field.IsMap():
		return "struct"
	case field.IsList():
		return "array"
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return "boolean"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "double"
	case protoreflect.BytesKind:
		return "base64"
	case protoreflect.StringKind, protoreflect.EnumKind:
		return "string"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return "int"
	case protoreflect.MessageKind, protoreflect.GroupKind:
		switch field.Message().FullName() {
		case "google.protobuf.Timestamp":
			return "dateTime.iso8601"
		case "google.protobuf.Duration":
			return "string"
		}
		return "struct"
	}
	return "i8"
}
