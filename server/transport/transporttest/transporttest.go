// Package transporttest gives tests of transports methods to call: those of the
// examples in the JSON-RPC specification, and one that returns a message of every
// kind of field. They are made here, from descriptors alone, as a transport knows
// them.
package transporttest

import (
	"context"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/durationpb"  // named below
	_ "google.golang.org/protobuf/types/known/structpb"    // named below
	_ "google.golang.org/protobuf/types/known/timestamppb" // named below

	"github.com/vitals-rpc/vitals/server/transport"
)

// file is a .proto file as the compiler would have it.
const file = `
name: "trial/v1/trial.proto" package: "trial.v1" syntax: "proto3"
dependency: "google/protobuf/struct.proto"
dependency: "google/protobuf/timestamp.proto"
dependency: "google/protobuf/duration.proto"
message_type {
  name: "Pair"
  field { name: "minuend" json_name: "minuend" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "subtrahend" json_name: "subtrahend" number: 2 label: LABEL_OPTIONAL type: TYPE_INT32 }
}
message_type {
  name: "Five"
  field { name: "e" json_name: "e" number: 5 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "d" json_name: "d" number: 4 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "c" json_name: "c" number: 3 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "b" json_name: "b" number: 2 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "a" json_name: "a" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
}
message_type { name: "Number" field { name: "value" json_name: "value" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 } }
message_type { name: "None" }
message_type {
  name: "Everything"
  field { name: "yes" json_name: "yes" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "large_int" json_name: "largeInt" number: 2 label: LABEL_OPTIONAL type: TYPE_INT64 }
  field { name: "large_uint" json_name: "largeUint" number: 3 label: LABEL_OPTIONAL type: TYPE_UINT64 }
  field { name: "single" json_name: "single" number: 4 label: LABEL_OPTIONAL type: TYPE_FLOAT }
  field { name: "number" json_name: "number" number: 5 label: LABEL_OPTIONAL type: TYPE_DOUBLE }
  field { name: "text" json_name: "text" number: 6 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "data" json_name: "data" number: 7 label: LABEL_OPTIONAL type: TYPE_BYTES }
  field { name: "at" json_name: "at" number: 8 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" }
  field { name: "took" json_name: "took" number: 9 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Duration" }
  field { name: "any_value" json_name: "anyValue" number: 10 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Value" }
  field { name: "color" json_name: "color" number: 11 label: LABEL_OPTIONAL type: TYPE_ENUM type_name: ".trial.v1.Color" }
  field { name: "numbers" json_name: "numbers" number: 12 label: LABEL_REPEATED type: TYPE_DOUBLE }
  field { name: "inner" json_name: "inner" number: 13 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".trial.v1.Everything" }
  field { name: "labels" json_name: "labels" number: 14 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".trial.v1.Everything.LabelsEntry" }
  field { name: "left" json_name: "left" number: 15 label: LABEL_OPTIONAL type: TYPE_STRING oneof_index: 0 }
  field { name: "right" json_name: "right" number: 16 label: LABEL_OPTIONAL type: TYPE_INT32 oneof_index: 0 }
  field { name: "maybe" json_name: "maybe" number: 17 label: LABEL_OPTIONAL type: TYPE_INT32 oneof_index: 1 proto3_optional: true }
  oneof_decl { name: "side" }
  oneof_decl { name: "_maybe" }
  nested_type {
    name: "LabelsEntry" options { map_entry: true }
    field { name: "key" json_name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field { name: "value" json_name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
  }
}
enum_type { name: "Color" value { name: "COLOR_UNSPECIFIED" number: 0 } value { name: "COLOR_RED" number: 1 } }
service {
  name: "TrialService"
  method { name: "Subtract" input_type: ".trial.v1.Pair" output_type: ".trial.v1.Number" }
  method { name: "Sum" input_type: ".trial.v1.Five" output_type: ".trial.v1.Number" }
  method { name: "Update" input_type: ".trial.v1.Five" output_type: ".trial.v1.None" }
  method { name: "NotifySum" input_type: ".trial.v1.Five" output_type: ".trial.v1.None" }
  method { name: "NotifyHello" input_type: ".trial.v1.Number" output_type: ".trial.v1.None" }
  method { name: "GetData" input_type: ".trial.v1.None" output_type: ".google.protobuf.ListValue" }
  method { name: "Break" input_type: ".trial.v1.None" output_type: ".google.protobuf.ListValue" }
  method { name: "Mirror" input_type: ".trial.v1.Everything" output_type: ".trial.v1.Everything" }
  method { name: "Fail" input_type: ".trial.v1.Number" output_type: ".trial.v1.None" }
  method { name: "Follow" input_type: ".trial.v1.None" output_type: ".trial.v1.Number" server_streaming: true }
  method { name: "Collect" input_type: ".trial.v1.Number" output_type: ".trial.v1.Number" client_streaming: true }
  method { name: "Converse" input_type: ".trial.v1.Number" output_type: ".trial.v1.Number" client_streaming: true server_streaming: true }
}
`

// Parse makes a file's descriptor from its text.
func Parse(tb testing.TB, text string) protoreflect.FileDescriptor {
	tb.Helper()
	var parsed descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(text), &parsed); err != nil {
		tb.Fatal(err)
	}
	descriptor, err := protodesc.NewFile(&parsed, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}
	return descriptor
}

// Register registers every method of the files with one handler, which gets the
// method and the request and fills in the response.
func Register(server *connect.Server, files []protoreflect.FileDescriptor, handle func(method protoreflect.MethodDescriptor, request, response *dynamicpb.Message) error) {
	for _, file := range files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				register(server, methods.Get(j), handle)
			}
		}
	}
}

func register(server *connect.Server, method protoreflect.MethodDescriptor, handle func(protoreflect.MethodDescriptor, *dynamicpb.Message, *dynamicpb.Message) error) {
	spec := connect.Spec{Procedure: "/" + string(method.Parent().FullName()) + "/" + string(method.Name()), Schema: method}
	if method.IsStreamingClient() {
		spec.StreamType |= connect.StreamTypeClient
	}
	if method.IsStreamingServer() {
		spec.StreamType |= connect.StreamTypeServer
	}
	server.Register(connect.Method{Spec: spec, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
		if err := stream.Receive(request); err != nil {
			return err
		}
		if err := handle(method, request, response); err != nil {
			return err
		}
		return stream.Send(response)
	}})
}

// New returns the methods of the trial service. Each call's name is handed to
// called, which may be nil.
func New(tb testing.TB, called func(method string)) *transport.Methods {
	tb.Helper()
	server := connect.NewServer()
	Register(server, []protoreflect.FileDescriptor{Parse(tb, file)}, func(method protoreflect.MethodDescriptor, request, response *dynamicpb.Message) error {
		if called != nil {
			called(string(method.Name()))
		}
		return handle(string(method.Name()), request, response)
	})
	methods, err := transport.NewMethods(server)
	if err != nil {
		tb.Fatal(err)
	}
	return methods
}

func handle(method string, request, response *dynamicpb.Message) error {
	number := func(name protoreflect.Name) int64 {
		return request.Get(request.Descriptor().Fields().ByName(name)).Int()
	}
	answer := func(value int64) {
		response.Set(response.Descriptor().Fields().ByName("value"), protoreflect.ValueOfInt32(int32(value)))
	}
	switch method {
	case "Subtract":
		answer(number("minuend") - number("subtrahend"))
	case "Sum":
		answer(number("a") + number("b") + number("c") + number("d") + number("e"))
	case "GetData":
		return prototext.Unmarshal([]byte(`values { string_value: "hello" } values { number_value: 5 }`), response)
	case "Break": // a value of no kind, which has no form in JSON
		return prototext.Unmarshal([]byte(`values {}`), response)
	case "Mirror":
		proto.Merge(response, request)
	case "Fail":
		return connect.Errorf(connect.Code(number("value")), "this is code %d", number("value"))
	}
	return nil
}
