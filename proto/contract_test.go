// Package proto_test holds the classic contracts still. Clients were generated
// from it years ago and elsewhere; the files in testdata are what they know.
package proto_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	monitoringpb "github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	userspb "github.com/vitals-rpc/vitals/gen/users"
	"github.com/vitals-rpc/vitals/gen/users/usersconnect"
)

const frozen = `the classic contract is FROZEN, and this change breaks clients that exist.
Undo it and put what is new into a v1 package. testdata/%s is never edited
to make this test pass. What changed (- is what clients know, + what is here now):
%s`

// hold compares what is here with what clients know.
func hold(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v; here it would be:\n%s", err, got)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf(frozen, name, diff)
	}
}

// describe writes down all of a file that a client can depend on, a line a
// thing, in the file's order. Comments and options that concern one language
// are no part of the contract.
func describe(file protoreflect.FileDescriptor) string {
	var b strings.Builder
	fmt.Fprintf(&b, "syntax %s\npackage %s\n", file.Syntax(), file.Package())
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		fmt.Fprintf(&b, "service %s\n", service.FullName())
		for j := range service.Methods().Len() {
			m := service.Methods().Get(j)
			options := m.Options().(*descriptorpb.MethodOptions)
			fmt.Fprintf(&b, "  rpc %s(%s%s) returns (%s%s) %s\n", m.Name(), streamWord(m.IsStreamingClient()), m.Input().FullName(),
				streamWord(m.IsStreamingServer()), m.Output().FullName(), options.GetIdempotencyLevel())
		}
	}
	for i := range file.Messages().Len() {
		message := file.Messages().Get(i)
		fmt.Fprintf(&b, "message %s\n", message.FullName())
		for j := range message.Fields().Len() {
			f := message.Fields().Get(j)
			fmt.Fprintf(&b, "  %d %s %s %s json=%s presence=%t\n", f.Number(), f.Cardinality(), f.Kind(), f.Name(), f.JSONName(), f.HasPresence())
		}
		fmt.Fprintf(&b, "  messages=%d enums=%d oneofs=%d\n", message.Messages().Len(), message.Enums().Len(), message.Oneofs().Len())
	}
	fmt.Fprintf(&b, "enums=%d extensions=%d\n", file.Enums().Len(), file.Extensions().Len())
	return b.String()
}

func streamWord(streams bool) string {
	if streams {
		return "stream "
	}
	return ""
}

func TestDescriptorIsFrozen(t *testing.T) {
	hold(t, "monitoring.descriptor.txt", describe(monitoringpb.File_monitoring_metrics_proto))
	hold(t, "users.descriptor.txt", describe(userspb.File_users_users_proto))
}

func TestProceduresAreFrozen(t *testing.T) {
	hold(t, "monitoring.procedures.txt", strings.Join([]string{
		monitoringconnect.MonitoringServiceGetMetricProcedure,
		monitoringconnect.MonitoringServiceStreamMetricsProcedure,
		monitoringconnect.MonitoringServiceCheckHealthProcedure,
	}, "\n")+"\n")
	hold(t, "users.procedures.txt", strings.Join([]string{
		usersconnect.UserServiceCreateUserProcedure,
		usersconnect.UserServiceGetUserProcedure,
		usersconnect.UserServiceListUsersProcedure,
	}, "\n")+"\n")
}

// samples are messages of each contract with every field set, and with what is
// hard for codecs.
var samples = map[string][]proto.Message{"monitoring": monitoringSamples, "users": usersSamples}

var usersSamples = []proto.Message{
	&userspb.User{Id: 1, Name: "alice", Email: "alice@example.com", Roles: []string{"admin"}},
	&userspb.User{Id: math.MaxInt32, Name: "Zoë", Roles: []string{"viewer", "agent"}},
	&userspb.User{},
	&userspb.CreateUserRequest{Name: "alice", Email: "alice@example.com"},
	&userspb.GetUserRequest{Id: -1},
	&userspb.Empty{},
}

var monitoringSamples = []proto.Message{
	&monitoringpb.MetricRequest{Hostname: "server01", MetricType: "cpu"},
	&monitoringpb.MetricRequest{},
	&monitoringpb.MetricResponse{Hostname: "server01", MetricType: "memory", Value: 12.345678901234567, Timestamp: 1_700_000_000, Unit: "GB"},
	&monitoringpb.MetricResponse{Hostname: "сервер-1", MetricType: "x", Value: -0.5, Timestamp: math.MaxInt64, Unit: "µ"},
	&monitoringpb.MetricResponse{},
	&monitoringpb.HealthRequest{Service: "api"},
	&monitoringpb.HealthResponse{Healthy: true, Message: "Service api is running"},
	&monitoringpb.HealthResponse{Message: "Service collector is not running: the newest sample is 12s old"},
}

func TestBytesAreFrozen(t *testing.T) {
	for contract, messages := range samples {
		var b strings.Builder
		for _, sample := range messages {
			wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %s\n", sample.ProtoReflect().Descriptor().Name(), hex.EncodeToString(wire))
		}
		hold(t, contract+".bytes.txt", b.String())
	}
}

func TestJSONIsFrozen(t *testing.T) {
	for contract, messages := range samples {
		var b strings.Builder
		for _, sample := range messages {
			text, err := protojson.MarshalOptions{}.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			var compact bytes.Buffer // protojson has spaces here and there, on purpose
			if err := json.Compact(&compact, text); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %s\n", sample.ProtoReflect().Descriptor().Name(), &compact)
		}
		hold(t, contract+".json.txt", b.String())
	}
}

// What clients sent and stored must also still be read.
func TestFrozenFormsAreRead(t *testing.T) {
	for form, unmarshal := range map[string]func(string, proto.Message) error{
		".bytes.txt": func(text string, m proto.Message) error {
			wire, err := hex.DecodeString(text)
			if err != nil {
				return err
			}
			return proto.UnmarshalOptions{}.Unmarshal(wire, m)
		},
		".json.txt": func(text string, m proto.Message) error { return protojson.Unmarshal([]byte(text), m) },
	} {
		for contract, messages := range samples {
			readFrozen(t, contract+form, messages, unmarshal)
		}
	}
}

func readFrozen(t *testing.T, name string, messages []proto.Message, unmarshal func(string, proto.Message) error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != len(messages) {
		t.Fatalf("%s has %d lines, want %d", name, len(lines), len(messages))
	}
	for i, line := range lines {
		_, text, _ := strings.Cut(line, " ")
		got := messages[i].ProtoReflect().New().Interface()
		if err := unmarshal(text, got); err != nil || !proto.Equal(got, messages[i]) {
			t.Errorf(frozen, name, fmt.Sprintf("%s\nis read as %v, %v", line, got, err))
		}
	}
}

// The names of the JSON form that old clients send: both of them.
func TestJSONNames(t *testing.T) {
	want := &monitoringpb.MetricRequest{Hostname: "a", MetricType: "disk"}
	for _, text := range []string{`{"hostname":"a","metricType":"disk"}`, `{"hostname":"a","metric_type":"disk"}`} {
		var got monitoringpb.MetricRequest
		if err := protojson.Unmarshal([]byte(text), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf(frozen, "monitoring.json.txt", fmt.Sprintf("%s is read as %v, %v", text, &got, err))
		}
	}
}
