package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/doctor"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestDoctor(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	got := vitals(t, "doctor", srv.URL, "--hold", "0")
	for _, want := range []string{srv.URL, "PROTOCOL", "gRPC-Web", "JSON-RPC", "XML-RPC", "BIDI STREAM", "clock", "4 MiB passes"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if got.code != 0 || got.stderr != "" || strings.Contains(got.stdout, "fails") || strings.Contains(got.stdout, "hold") {
		t.Errorf("%+v", got)
	}

	got = vitals(t, "doctor", "http://127.0.0.1:1", "-o", "json")
	var report doctor.Report
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != 1 || report.Healthy() || len(report.Checks) != 2 {
		t.Errorf("nobody there: %v, %+v", err, got)
	}
	for _, wrong := range [][]string{{"ftp://x"}, {"-o", "yaml"}, {"--tls-ca", "/nonexistent"}, {"a", "b"}} {
		if got = vitals(t, append([]string{"doctor"}, wrong...)...); got.code != 2 || got.stderr == "" {
			t.Errorf("%v: %+v", wrong, got)
		}
	}
}
