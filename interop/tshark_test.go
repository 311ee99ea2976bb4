package interop_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	diagnosticsv1 "github.com/vitals-rpc/vitals/gen/diagnostics/v1"
	"github.com/vitals-rpc/vitals/gen/diagnostics/v1/diagnosticsv1connect"
	"github.com/vitals-rpc/vitals/gen/monitoring"
	"github.com/vitals-rpc/vitals/gen/monitoring/monitoringconnect"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// tshark reads a capture file of port 50051 in the way that docs/protocols.md
// gives, and returns one line for each gRPC message: its procedure, then the names
// of the message's fields, then their values.
func tshark(t *testing.T, capture string, more ...string) string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is missing, so nothing shows that Wireshark understands what we send: apt-get install tshark (tools/debian.sh does)")
	}
	contract, err := filepath.Abs("../proto")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"-r", capture, "-d", "tcp.port==50051,http2",
		"-o", `uat:protobuf_search_paths:"` + contract + `","TRUE"`,
		"-Y", "grpc", "-T", "fields", "-e", "protobuf.message.name", "-e", "protobuf.field.name",
		"-e", "protobuf.field.value.int32", "-e", "protobuf.field.value.string", "-e", "protobuf.field.value.double",
	}, more...)
	return mustRun(t, "", program, args...)
}

// Wireshark finds calls, messages and, with the .proto files, fields and values in
// what a strange client and our server say to each other.
func TestTshark(t *testing.T) {
	t.Parallel()
	srv := servertest.NewServer(t, server.Options{Hostname: "server01"})
	srv.Seed()
	tape := record(t, srv.Addr)
	conn, err := grpc.NewClient(tape.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	var sum diagnosticsv1.AddResponse
	err = conn.Invoke(t.Context(), diagnosticsv1connect.DiagnosticsServiceAddProcedure, &diagnosticsv1.AddRequest{A: 5, B: 3}, &sum)
	if err != nil || sum.GetResult() != 8 {
		t.Fatalf("Add: %v, %v", &sum, err)
	}
	var cpu monitoring.MetricResponse
	err = conn.Invoke(t.Context(), monitoringconnect.MonitoringServiceGetMetricProcedure, &monitoring.MetricRequest{MetricType: "cpu"}, &cpu)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	capture := filepath.Join(t.TempDir(), "capture.pcap")
	tape.write(t, capture, 50051)

	got := tshark(t, capture)
	for _, want := range []string{
		"diagnostics.v1.AddRequest\ta,b\t5,3\t\t\n",
		"diagnostics.v1.AddResponse\tresult\t8\t\t\n",
		"monitoring.MetricRequest\tmetric_type\t\tcpu\t\n",
		"monitoring.MetricResponse\thostname,metric_type,value,timestamp,unit\t\tserver01,cpu,percent\t12.5\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("tshark does not show %q in\n%s", want, got)
		}
	}
	heads := mustRun(t, "", "tshark", "-r", capture, "-d", "tcp.port==50051,http2", "-Y", "http2.headers", "-T", "fields",
		"-e", "http2.headers.path", "-e", "http2.headers.status", "-e", "http2.headers.content_type", "-e", "http2.header.name")
	has(t, "the headers", heads, "/diagnostics.v1.DiagnosticsService/Add\t", "\t200\t", "application/grpc", "grpc-status")
	if damaged := mustRun(t, "", "tshark", "-r", capture, "-d", "tcp.port==50051,http2", "-Y", "_ws.malformed"); damaged != "" {
		t.Errorf("tshark finds malformed: %s", damaged)
	}
}

// The keys that a caller writes down open a capture of TLS.
func TestTsharkTLS(t *testing.T) {
	t.Parallel()
	curl := tool(t, "curl", "curl")
	srv, ca := newSecureServer(t, certificate.Options{})
	tape := record(t, srv.Addr)
	dir := t.TempDir()
	keys, capture, message := filepath.Join(dir, "keys"), filepath.Join(dir, "capture.pcap"), filepath.Join(dir, "message")
	mustRun(t, dir, "/bin/sh", "-c", `printf '\0\0\0\0\004\010\005\020\003' > "$0"`, message)
	mustRun(t, dir, "env", "SSLKEYLOGFILE="+keys, curl, "-sS", "--max-time", "60", "--http2", "--cacert", ca.File, "-o", filepath.Join(dir, "answer"),
		"-H", "Content-Type: application/grpc", "-H", "TE: trailers", "--data-binary", "@"+message,
		"https://"+tape.Addr().String()+diagnosticsv1connect.DiagnosticsServiceAddProcedure)
	tape.write(t, capture, 50051)
	got := tshark(t, capture, "-d", "tcp.port==50051,tls", "-o", "tls.keylog_file:"+keys)
	has(t, "the decrypted capture", got, "diagnostics.v1.AddRequest\ta,b\t5,3", "diagnostics.v1.AddResponse\tresult\t8")
}
