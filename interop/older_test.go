package interop_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fault is a code and a message, as the scripts print them.
type fault [2]any

func (f fault) is(t *testing.T, what string, code float64, parts ...string) {
	t.Helper()
	message, _ := f[1].(string)
	if f[0] != code {
		t.Errorf("%s: %v %q, want %v", what, f[0], message, code)
	}
	has(t, what, message, parts...)
}

// script runs a Python script with a URL, and reads what it prints.
func script(t *testing.T, name, debianPackage, module, url string, into any) {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's own, for which its packages are
	if _, talk, ok := run(t, "", python, "-c", "import "+module); !ok {
		t.Fatalf("Python's %s is missing: apt-get install %s\n%s", module, debianPackage, talk)
	}
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, "", python, path, url)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// sample is a MetricResponse in snake_case.
type sample struct {
	Hostname, Unit string
	MetricType     string `json:"metric_type"`
	Value          *float64
	Timestamp      int64
}

func (s sample) is(t *testing.T, metricType, unit string) {
	t.Helper()
	if s.Hostname != "server01" || s.MetricType != metricType || s.Unit != unit || s.Value == nil || *s.Value <= 0 || s.Timestamp == 0 {
		t.Errorf("%s: %+v", metricType, s)
	}
}

// calculated is the answer of calculate_metrics that everybody knows.
type calculated struct {
	AvgCPU    float64 `json:"avg_cpu"`
	MaxCPU    float64 `json:"max_cpu"`
	AvgMemory float64 `json:"avg_memory"`
	Alert     bool
}

var wantCalculated = calculated{58.2, 89, 2.3, true}

// TestPythonXMLRPC runs the client of Python's standard library, as if nobody had
// ever said anything of protobuf.
func TestPythonXMLRPC(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, path := range []string{"", "/RPC2"} {
		var got struct {
			Add, Multiply  int
			Uppercase      string
			Methods        []string
			Help           string
			Signature      [][]string
			Metric, ByName sample
			FullName       int
			Calculated     calculated
			Info           []string
			Reported       struct{ Stored int }
			Seen           string
			Multicall      []any

			UnknownHost, UnknownMethod, WrongParams, ManyParams, Invalid, Stream fault
		}
		script(t, "xmlrpc_client.py", "python3", "xmlrpc.client", srv.URL+path, &got)
		if got.Add != 8 || got.Multiply != 28 || got.Uppercase != "HELLO" || got.FullName != 4 {
			t.Errorf("known answers: %d %d %q %d", got.Add, got.Multiply, got.Uppercase, got.FullName)
		}
		for _, name := range []string{"add", "get_metric", "calculate_metrics", "system.listMethods", "system.multicall"} {
			if !slices.Contains(got.Methods, name) {
				t.Errorf("system.listMethods has no %s: %v", name, got.Methods)
			}
		}
		has(t, "system.methodHelp", got.Help, "GetMetric returns", "metric_type (string)", "timestamp (i8)")
		if len(got.Signature) != 2 || strings.Join(got.Signature[0], " ") != "int int int" || strings.Join(got.Signature[1], " ") != "int struct" {
			t.Errorf("system.methodSignature: %v", got.Signature)
		}
		got.Metric.is(t, "memory", "GB")
		got.ByName.is(t, "disk", "GB")
		if got.Calculated != wantCalculated {
			t.Errorf("calculate_metrics: %+v", got.Calculated)
		}
		if !slices.Contains(got.Info, "xmlrpc") || !slices.Contains(got.Info, "jsonrpc") {
			t.Errorf("protocols: %v", got.Info)
		}
		if got.Reported.Stored != 1 {
			t.Errorf("report_batch stored %d", got.Reported.Stored)
		}
		has(t, "last_seen", got.Seen, "20", "T", ":")
		if len(got.Multicall) != 4 || got.Multicall[0] != 3.0 || got.Multicall[1] != "<A> & É" || got.Multicall[3] != 42.0 {
			t.Fatalf("multicall: %v", got.Multicall)
		}
		failed, _ := got.Multicall[2].([]any)
		if len(failed) != 2 || failed[0] != 5.0 {
			t.Errorf("the fault in a multicall: %v", got.Multicall[2])
		}
		got.UnknownHost.is(t, "an unknown host", 5, `host "server02" is not known; nearest: server01`)
		got.UnknownMethod.is(t, "an unknown method", 12, `there is no method "ad"; nearest: add`)
		got.WrongParams.is(t, "wrong params", 3, "a", `"five"`, "add takes a (int32), b (int32)")
		got.ManyParams.is(t, "too many params", 3, "3 params are too many")
		got.Invalid.is(t, "an empty list", 3, "cpu_usage")
		got.Stream.is(t, "a stream", 12, "answers with a stream", "/monitoring.MonitoringService/StreamMetrics", "gRPC")
	}
}

// TestPythonJSONRPC runs jsonrpclib, and has jsonschema hold the answers to what
// rpc.discover says of them.
func TestPythonJSONRPC(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, path := range []string{"", "/jsonrpc"} {
		var got struct {
			Calculated calculated
			Info       struct {
				Server, Version, Status string
				Protocols               []string
			}
			Metric, ByName sample
			Add, Multiply  int
			Uppercase      string
			Batch          []any
			Checked        []string

			UnknownHost, UnknownMethod, WrongParams, Invalid, Stream fault
		}
		script(t, "jsonrpc_client.py", "python3-jsonrpclib-pelix python3-jsonschema", "jsonrpclib, jsonschema", srv.URL+path, &got)
		if got.Calculated != wantCalculated {
			t.Errorf("calculate_metrics: %+v", got.Calculated)
		}
		if got.Info.Server != "vitals" || got.Info.Version != "dev" || got.Info.Status != "running" || !slices.Contains(got.Info.Protocols, "jsonrpc") {
			t.Errorf("get_system_info: %+v", got.Info)
		}
		got.Metric.is(t, "memory", "GB")
		got.ByName.is(t, "disk", "GB")
		if got.Add != 8 || got.Multiply != 28 || got.Uppercase != "HELLO" {
			t.Errorf("known answers: %d %d %q", got.Add, got.Multiply, got.Uppercase)
		}
		if len(got.Batch) != 2 || got.Batch[0] != 3.0 || got.Batch[1] != "HI" {
			t.Errorf("a batch: %v", got.Batch)
		}
		if len(got.Checked) != 8 {
			t.Errorf("held to their schema: %v", got.Checked)
		}
		got.UnknownHost.is(t, "an unknown host", -32005, `host "server02" is not known; nearest: server01`)
		got.UnknownMethod.is(t, "an unknown method", -32601, "Method not found")
		got.WrongParams.is(t, "wrong params", -32602, "Invalid params")
		got.Invalid.is(t, "an empty list", -32003, "cpu_usage")
		got.Stream.is(t, "a stream", -32012, "answers with a stream", "/monitoring.MonitoringService/StreamMetrics", "gRPC")
	}
}
