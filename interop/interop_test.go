// Package interop_test lets programs that are not ours talk to a real server:
// curl, grpcurl, Python's grpcio, xmlrpc.client and jsonrpclib, and grpc-go. A
// program that is missing fails its test with the name of the Debian package to
// install.
package interop_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

// newServer starts a server that measures this machine as server01, and waits
// for its first samples.
func newServer(t *testing.T) *servertest.Server {
	t.Helper()
	srv := servertest.NewServer(t, server.Options{Hostname: "server01"})
	srv.Collect()
	servertest.Eventually(t, "the first samples", func() bool {
		known, err := srv.Client(servertest.Connections()[0]).Monitoring().CheckHealth(t.Context(), health("collector"))
		return err == nil && known.GetHealthy()
	})
	return srv
}

// tool finds a program.
func tool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", name, debianPackage)
	}
	return path
}

// run runs a program and returns what it wrote and whether it succeeded.
func run(t *testing.T, dir, program string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &talk
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", program, err)
	}
	return out.String(), talk.String(), err == nil
}

// mustRun is run of what has to succeed.
func mustRun(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	stdout, stderr, ok := run(t, dir, program, args...)
	if !ok {
		t.Fatalf("%s %s:\n%s%s", program, strings.Join(args, " "), stdout, stderr)
	}
	return stdout
}

// has checks that a text has all these parts.
func has(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s has no %q: %s", what, part, text)
		}
	}
}
