package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/peer"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// TestWayOfGRPC tells which calls go past net/http: those that no middleware has
// anything to do for.
func TestWayOfGRPC(t *testing.T) {
	const procedure = "/test.Way/Ask"
	way := ""
	opts := server.Options{
		HTTP2: server.OwnHTTP2,
		Roles: map[string]account.Role{procedure: account.Anyone},
		Services: func(calls *connect.Server) {
			calls.Register(connect.Method{Spec: connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeUnary, Schema: askSchema(t)}, Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				if err := stream.Receive(&emptypb.Empty{}); err != nil {
					return err
				}
				way = "short"
				if _, http := connecthttp.ServerInfoForContext(ctx); http {
					way = "long"
				}
				if p, ok := peer.From(ctx); !ok || !p.IP.IsLoopback() {
					way += ", and the peer is " + p.String()
				}
				return stream.Send(&emptypb.Empty{})
			}})
		},
	}
	srv := servertest.NewServer(t, opts)
	trusted, err := peer.ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	opts.TrustedProxies = trusted
	behind := servertest.NewServer(t, opts)
	f := func(srv *servertest.Server, want string, header ...string) {
		t.Helper()
		way = "none"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+procedure, io.NopCloser(strings.NewReader("\x00\x00\x00\x00\x00")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/grpc")
		for i := 0; i < len(header); i += 2 {
			if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		res, err := srv.HTTP2().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if way != want {
			t.Errorf("%q: the %s way, want the %s", header, way, want)
		}
	}
	f(srv, "short")
	f(srv, "short", "X-Request-Id", "call-7", "Grpc-Timeout", "1S")
	f(srv, "long", "X-Forwarded-For", "192.0.2.7")
	f(srv, "long", "Forwarded", "for=192.0.2.7")
	f(srv, "long", "Cookie", "a=b")
	f(srv, "none", "Origin", "https://elsewhere.example.com")
	f(srv, "none", "Host", "elsewhere.example.com")
	f(behind, "long")
	f(behind, "long, and the peer is 192.0.2.7", "X-Forwarded-For", "192.0.2.7")
}

// askSchema describes a method that takes and gives nothing.
func askSchema(t *testing.T) protoreflect.MethodDescriptor {
	t.Helper()
	const empty = ".google.protobuf.Empty"
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test/way.proto"), Package: new("test"), Syntax: new("proto3"), Dependency: []string{"google/protobuf/empty.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("Way"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: new("Ask"), InputType: new(empty), OutputType: new(empty)},
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file.Services().Get(0).Methods().Get(0)
}
