package interop_test

import (
	"os"
	"strings"
	"testing"
)

// TestProtocolExamples runs every command with curl in docs/protocols.md as it
// stands there, but for the port.
func TestProtocolExamples(t *testing.T) {
	t.Parallel()
	tool(t, "curl", "curl")
	text, err := os.ReadFile("../docs/protocols.md")
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(t)
	ran := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "curl ") || !strings.Contains(line, "localhost:50051") {
			continue
		}
		ran++
		command := strings.ReplaceAll(line, "localhost:50051", srv.Addr)
		out := mustRun(t, "", "/bin/sh", "-c", strings.Replace(command, "curl ", "curl -sS --max-time 60 ", 1))
		if out == "" || strings.Contains(out, `"error"`) || strings.Contains(out, `"code":"`) || strings.Contains(out, "<fault>") {
			t.Errorf("%s\n%s", command, out)
		}
	}
	if ran < 9 {
		t.Errorf("only %d examples were found", ran)
	}
}
