package interceptor

import (
	"context"
	"sync"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	connectvalidate "connectrpc.com/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Validation checks requests against the constraints in their schema. Those whose
// schema has none are let through as they are, and so are messages that obey says
// to be right: it may know that sooner, but must not know better.
func Validation(obey func(proto.Message) bool) connect.ServerInterceptor {
	validating := connectvalidate.NewServerInterceptor(connectvalidate.WithValidator(validator{protovalidate.GlobalValidator, obey}))
	return func(next connect.ServerFunc) connect.ServerFunc {
		validated := validating(next)
		var once sync.Once // there is an interceptor for each procedure
		free := false
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			once.Do(func() {
				method, ok := spec.Schema.(protoreflect.MethodDescriptor)
				free = ok && !constrained(method.Input(), map[protoreflect.FullName]bool{})
			})
			if free {
				return next(ctx, spec, stream)
			}
			return validated(ctx, spec, stream)
		}
	}
}

// validator validates what may be wrong.
type validator struct {
	protovalidate.Validator
	obey func(proto.Message) bool
}

// Validate implements [protovalidate.Validator].
func (v validator) Validate(m proto.Message, options ...protovalidate.ValidationOption) error {
	if v.obey(m) {
		return nil
	}
	return v.Validator.Validate(m, options...)
}

// constrained reports whether there are constraints on a message or on anything
// that can be in it.
func constrained(m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[m.FullName()] {
		return false
	}
	seen[m.FullName()] = true
	if proto.HasExtension(m.Options(), validate.E_Message) {
		return true
	}
	for i := range m.Oneofs().Len() {
		if proto.HasExtension(m.Oneofs().Get(i).Options(), validate.E_Oneof) {
			return true
		}
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if proto.HasExtension(f.Options(), validate.E_Field) {
			return true
		}
		if f.Message() != nil && constrained(f.Message(), seen) {
			return true
		}
	}
	return false
}
