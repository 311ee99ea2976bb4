package rpc

import (
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/vitals-rpc/vitals/server/account"
)

// Reflection implements grpc.reflection.v1 and v1alpha, by which grpcurl and
// others learn what there is to call
// (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md). A caller
// learns of the services of which it may call a procedure, and of the files that
// these need.
//
// It stands on the connect.Server as any other service does, behind the same
// interceptors.
type Reflection struct {
	// Services are the descriptors of what is served.
	Services []protoreflect.ServiceDescriptor
	// May reports whether a caller may call some procedure of a service.
	May func(id account.Identity, service string) bool
}

// Register adds both versions to the server. Their messages are the same but for
// the package's name, so one handler serves both.
func (r *Reflection) Register(server *connect.Server) {
	for _, file := range []protoreflect.FileDescriptor{
		grpc_reflection_v1.File_grpc_reflection_v1_reflection_proto,
		grpc_reflection_v1alpha.File_grpc_reflection_v1alpha_reflection_proto,
	} {
		service := file.Services().ByName("ServerReflection")
		method := service.Methods().ByName("ServerReflectionInfo")
		server.Register(connect.Method{
			Spec: connect.Spec{
				StreamType: connect.StreamTypeBidi,
				Schema:     method,
				Procedure:  "/" + string(service.FullName()) + "/" + string(method.Name()),
			},
			Handler: r.serve,
		})
	}
}

// Describe takes the services from what is registered.
func (r *Reflection) Describe(server *connect.Server) {
	for spec := range server.Specs() {
		method, ok := spec.Schema.(protoreflect.MethodDescriptor)
		if !ok {
			continue
		}
		service := method.Parent().(protoreflect.ServiceDescriptor)
		if !slices.ContainsFunc(r.Services, func(s protoreflect.ServiceDescriptor) bool { return s.FullName() == service.FullName() }) {
			r.Services = append(r.Services, service)
		}
	}
	slices.SortFunc(r.Services, func(a, b protoreflect.ServiceDescriptor) int {
		if a.FullName() < b.FullName() {
			return -1
		}
		return 1
	})
}

func (r *Reflection) serve(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	session := r.session(account.CallerFrom(ctx).Identity)
	requests := receiveAll(ctx, func() (*grpc_reflection_v1.ServerReflectionRequest, error) {
		req := &grpc_reflection_v1.ServerReflectionRequest{}
		return req, stream.Receive(req)
	})
	for {
		req, err := next(ctx, requests)
		if err != nil {
			return ignoreEOF(err)
		}
		if err := stream.Send(session.answer(req)); err != nil {
			return err
		}
	}
}

// reflectionSession is one stream, of one caller.
type reflectionSession struct {
	services []protoreflect.ServiceDescriptor
	files    map[string]protoreflect.FileDescriptor // that the caller may see
	sent     map[string]bool
}

func (r *Reflection) session(id account.Identity) *reflectionSession {
	s := &reflectionSession{files: map[string]protoreflect.FileDescriptor{}, sent: map[string]bool{}}
	for _, service := range r.Services {
		if r.May(id, string(service.FullName())) {
			s.services = append(s.services, service)
			s.see(service.ParentFile())
		}
	}
	return s
}

// see adds a file and all that it imports.
func (s *reflectionSession) see(file protoreflect.FileDescriptor) {
	if s.files[file.Path()] != nil {
		return
	}
	s.files[file.Path()] = file
	for i := range file.Imports().Len() {
		s.see(file.Imports().Get(i).FileDescriptor)
	}
}

func (s *reflectionSession) answer(req *grpc_reflection_v1.ServerReflectionRequest) *grpc_reflection_v1.ServerReflectionResponse {
	res := &grpc_reflection_v1.ServerReflectionResponse{ValidHost: req.GetHost(), OriginalRequest: req}
	var err error
	switch ask := req.GetMessageRequest().(type) {
	case *grpc_reflection_v1.ServerReflectionRequest_ListServices:
		res.MessageResponse = s.list()
	case *grpc_reflection_v1.ServerReflectionRequest_FileByFilename:
		err = s.respond(res, s.files[ask.FileByFilename], nil)
	case *grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol:
		file, findErr := s.fileOf(ask.FileContainingSymbol)
		err = s.respond(res, file, findErr)
	case *grpc_reflection_v1.ServerReflectionRequest_FileContainingExtension:
		file, findErr := s.fileOfExtension(ask.FileContainingExtension)
		err = s.respond(res, file, findErr)
	case *grpc_reflection_v1.ServerReflectionRequest_AllExtensionNumbersOfType:
		res.MessageResponse = s.extensions(ask.AllExtensionNumbersOfType)
	default:
		res.MessageResponse = reflectionError(codes.InvalidArgument, "the request asks for nothing")
	}
	if err != nil {
		res.MessageResponse = reflectionError(codes.NotFound, "there is no such thing here, or it is not yours to know")
	}
	return res
}

func (s *reflectionSession) list() *grpc_reflection_v1.ServerReflectionResponse_ListServicesResponse {
	out := &grpc_reflection_v1.ListServiceResponse{}
	for _, service := range s.services {
		out.Service = append(out.Service, &grpc_reflection_v1.ServiceResponse{Name: string(service.FullName())})
	}
	return &grpc_reflection_v1.ServerReflectionResponse_ListServicesResponse{ListServicesResponse: out}
}

// errUnseen is what becomes NOT_FOUND.
var errUnseen = errors.New("not seen")

// fileOf finds the file that declares a symbol.
func (s *reflectionSession) fileOf(symbol string) (protoreflect.FileDescriptor, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(symbol))
	if err != nil {
		return nil, err
	}
	return s.files[d.ParentFile().Path()], nil
}

func (s *reflectionSession) fileOfExtension(ask *grpc_reflection_v1.ExtensionRequest) (protoreflect.FileDescriptor, error) {
	x, err := protoregistry.GlobalTypes.FindExtensionByNumber(protoreflect.FullName(ask.GetContainingType()), protoreflect.FieldNumber(ask.GetExtensionNumber()))
	if err != nil {
		return nil, err
	}
	return s.files[x.TypeDescriptor().ParentFile().Path()], nil
}

// extensions lists the extensions of a message that are in the caller's files.
func (s *reflectionSession) extensions(message string) *grpc_reflection_v1.ServerReflectionResponse_AllExtensionNumbersResponse {
	out := &grpc_reflection_v1.ExtensionNumberResponse{BaseTypeName: message}
	protoregistry.GlobalTypes.RangeExtensionsByMessage(protoreflect.FullName(message), func(x protoreflect.ExtensionType) bool {
		if d := x.TypeDescriptor(); s.files[d.ParentFile().Path()] != nil {
			out.ExtensionNumber = append(out.ExtensionNumber, int32(d.Number()))
		}
		return true
	})
	slices.Sort(out.ExtensionNumber)
	return &grpc_reflection_v1.ServerReflectionResponse_AllExtensionNumbersResponse{AllExtensionNumbersResponse: out}
}

// respond answers with a file and what it imports, but for what this stream has
// already.
func (s *reflectionSession) respond(res *grpc_reflection_v1.ServerReflectionResponse, file protoreflect.FileDescriptor, err error) error {
	if err != nil || file == nil {
		return errors.Join(err, errUnseen)
	}
	out := &grpc_reflection_v1.FileDescriptorResponse{}
	if err := s.add(out, file, true); err != nil {
		return err
	}
	res.MessageResponse = &grpc_reflection_v1.ServerReflectionResponse_FileDescriptorResponse{FileDescriptorResponse: out}
	return nil
}

func (s *reflectionSession) add(out *grpc_reflection_v1.FileDescriptorResponse, file protoreflect.FileDescriptor, again bool) error {
	if s.sent[file.Path()] && !again {
		return nil
	}
	s.sent[file.Path()] = true
	encoded, err := proto.Marshal(protodesc.ToFileDescriptorProto(file))
	if err != nil {
		return err
	}
	out.FileDescriptorProto = append(out.FileDescriptorProto, encoded)
	for i := range file.Imports().Len() {
		if err := s.add(out, file.Imports().Get(i).FileDescriptor, false); err != nil {
			return err
		}
	}
	return nil
}

func reflectionError(code codes.Code, text string) *grpc_reflection_v1.ServerReflectionResponse_ErrorResponse {
	return &grpc_reflection_v1.ServerReflectionResponse_ErrorResponse{
		ErrorResponse: &grpc_reflection_v1.ErrorResponse{ErrorCode: int32(code), ErrorMessage: text}, //nolint:gosec // codes are small
	}
}
