package transport_test

import (
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/vitals-rpc/vitals/server/transport"
	"github.com/vitals-rpc/vitals/server/transport/transporttest"
)

// names registers procedures, each package.Service/Method with a * behind where it
// streams, and returns their methods.
func names(t *testing.T, procedures ...string) (*transport.Methods, error) {
	t.Helper()
	server := connect.NewServer()
	for _, procedure := range procedures {
		name, streams := strings.CutSuffix(procedure, "*")
		service, method, _ := strings.Cut(name, "/")
		dot := strings.LastIndexByte(service, '.')
		text := `name: "` + name + `" syntax: "proto3" package: "` + service[:dot] + `" message_type { name: "M" }
			service { name: "` + service[dot+1:] + `" method { name: "` + method + `" input_type: ".` + service[:dot] + `.M" output_type: ".` + service[:dot] + `.M"`
		if streams {
			text += " server_streaming: true"
		}
		transporttest.Register(server, []protoreflect.FileDescriptor{transporttest.Parse(t, text+"}}")},
			func(protoreflect.MethodDescriptor, *dynamicpb.Message, *dynamicpb.Message) error { return nil })
	}
	return transport.NewMethods(server)
}

func TestShortNames(t *testing.T) {
	f := func(short, full string, procedures ...string) {
		t.Helper()
		methods, err := names(t, procedures...)
		if err != nil {
			t.Errorf("%v: %v", procedures, err)
			return
		}
		m, err := methods.Find(short)
		if err != nil || m.Full != full || m.Short != short {
			t.Errorf("%s of %v: %+v, %v; want %s", short, procedures, m, err, full)
		}
		for _, procedure := range procedures {
			if !strings.HasSuffix(procedure, "*") {
				if m, err := methods.Find(procedure); err != nil || m.Full != procedure {
					t.Errorf("%s: %+v, %v", procedure, m, err)
				}
			}
		}
	}
	f("get_metric", "a.S/GetMetric", "a.S/GetMetric")
	f("add", "a.S/Add", "a.S/Add")
	f("query_prom_ql", "a.S/QueryPromQL", "a.S/QueryPromQL")
	f("get_http_status", "a.S/GetHTTPStatus", "a.S/GetHTTPStatus")
	f("get_v2_name", "a.S/GetV2Name", "a.S/GetV2Name")
	f("get", "users.S/Get", "users.S/Get", "users.v1.S/Get", "users.v2.S/Get")
	f("get", "users.S/Get", "users.v2.S/Get", "users.v1.S/Get", "users.S/Get")
	f("get", "users.v1.S/Get", "users.v10.S/Get", "users.v2beta1.S/Get", "users.v1.S/Get")
	f("watch", "b.S/Watch", "a.S/Watch*", "b.S/Watch", "c.S/Watch*")
	f("check", "a.S/Check", "grpc.health.v1.Health/Check", "a.S/Check")
}

func TestShortNamesClash(t *testing.T) {
	f := func(procedures ...string) {
		t.Helper()
		_, err := names(t, procedures...)
		if err == nil || !strings.Contains(err.Error(), procedures[0]) || !strings.Contains(err.Error(), procedures[1]) || !strings.Contains(err.Error(), "rename") {
			t.Errorf("%v: %v", procedures, err)
		}
	}
	f("a.S/Get", "b.S/Get")
	f("a.v1.S/Get", "a.v1.T/Get")
	f("a.v1.S/Get", "b.v2.S/Get")
	f("a.S/GetURL", "a.T/GetUrl")
}

func TestFindErrors(t *testing.T) {
	methods, err := names(t, "a.S/Get", "a.S/Follow*", "grpc.health.v1.Health/Check")
	if err != nil {
		t.Fatal(err)
	}
	_, err = methods.Find("gett")
	if unknown, ok := errors.AsType[*transport.UnknownError](err); !ok || unknown.Name != "gett" || !strings.Contains(err.Error(), "nearest: get") {
		t.Errorf("%v", err)
	}
	_, err = methods.Find(strings.Repeat("x", 10_000))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("%d bytes of error", len(err.Error()))
	}
	for _, name := range []string{"follow", "a.S/Follow", "a.S.Follow"} {
		_, err = methods.Find(name)
		if streams, ok := errors.AsType[*transport.StreamsError](err); !ok || streams.Method.Full != "a.S/Follow" || !strings.Contains(err.Error(), "/a.S/Follow") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := methods.Find("check"); err == nil {
		t.Error("infrastructure has a short name")
	}
	var callable []string
	for _, m := range methods.Callable() {
		callable = append(callable, m.Name())
	}
	if got := strings.Join(callable, " "); got != "get grpc.health.v1.Health/Check" {
		t.Errorf("callable: %s", got)
	}
}

func TestBare(t *testing.T) {
	file := transporttest.Parse(t, `name: "bare" syntax: "proto3" package: "bare"
		message_type { name: "One" field { name: "a" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING } }
		message_type { name: "Two" field { name: "a" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING } field { name: "b" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } }
		message_type { name: "List" field { name: "a" number: 1 label: LABEL_REPEATED type: TYPE_STRING } }
		message_type { name: "Inner" field { name: "a" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".bare.One" } }
		message_type { name: "None" }`)
	for name, want := range map[protoreflect.Name]bool{"One": true, "Two": false, "List": false, "Inner": false, "None": false} {
		if got := transport.Bare(file.Messages().ByName(name)) != nil; got != want {
			t.Errorf("%s is bare: %t", name, got)
		}
	}
}
