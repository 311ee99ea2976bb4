// Package conformance runs the conformance suite of connectrpc.com over Vitals'
// whole server: Connect, gRPC and gRPC-Web, over HTTP/1.1, HTTP/2 (our own and
// net/http's) and HTTP/3, with TLS and without, against the suite's reference
// client.
package conformance

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConformance(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	server := filepath.Join(t.TempDir(), "server")
	if out, err := exec.CommandContext(ctx, "go", "build", "-race", "-o", server, "./server").CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v\n%s", err, out)
	}
	for _, http2 := range []string{"own", "std"} {
		t.Run("http2="+http2, func(t *testing.T) {
			out, err := exec.CommandContext(ctx, "go", "tool", "connectconformance",
				"--mode", "server", "--conf", "config.yaml", "--", server, "-http2", http2).CombinedOutput()
			text := strings.TrimSpace(string(out))
			if err != nil || !strings.HasSuffix(text, " 0 failed") {
				t.Fatalf("%v\n%s", err, text)
			}
			t.Log(text[strings.LastIndexByte(text, '\n')+1:])
		})
	}
}
