package interop_test

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vitals-rpc/vitals/server/servertest"
)

// address is what the examples call. Those that also name files of certificates are
// left out here: the tests of TLS run their like.
const address = "localhost:50051"

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// examples returns the blocks of docs/protocols.md in a language that call the
// server, and so many there have to be at least.
func examples(t *testing.T, language string, least int) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/protocols.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		if block[1] == language && strings.Contains(block[2], address) && !strings.Contains(block[2], ".pem") {
			found = append(found, block[2])
		}
	}
	if len(found) < least {
		t.Errorf("only %d examples in %s were found, want %d", len(found), language, least)
	}
	return found
}

var promised = regexp.MustCompile(`(?m)(?:print|console\.log|Println)\(.*\)\S* +(?:#|//) (.+)$`)

// keeps checks that a program wrote each line that it says it writes.
func keeps(t *testing.T, program, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, want := range promised.FindAllStringSubmatch(program, -1) {
		if !slices.Contains(lines, want[1]) {
			t.Errorf("it does not print %q but %q:\n%s", want[1], out, program)
		}
	}
	if strings.TrimSpace(out) == "" {
		t.Errorf("it prints nothing:\n%s", program)
	}
}

// TestProtocolExamples runs the examples of docs/protocols.md as they stand
// there, but for the port: the requests over the wire, byte by byte, and what does
// the same with curl, in Python, JavaScript and Go.
func TestProtocolExamples(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	t.Run("wire", func(t *testing.T) {
		t.Parallel()
		for _, example := range examples(t, "http", 7) {
			exchange(t, srv, example)
		}
	})
	t.Run("curl", func(t *testing.T) { t.Parallel(); testCurlExamples(t, srv) })
	t.Run("python", func(t *testing.T) { t.Parallel(); testPythonExamples(t, srv) })
	t.Run("javascript", func(t *testing.T) {
		t.Parallel()
		for _, program := range examples(t, "javascript", 7) {
			keeps(t, program, mustRun(t, "", tool(t, "node", "nodejs"), "--input-type=module", "-e", strings.ReplaceAll(program, address, srv.Addr)))
		}
	})
	t.Run("go", func(t *testing.T) { t.Parallel(); testGoExamples(t, srv) })
}

var binaryBody = regexp.MustCompile(`(?m)^Content-Type: .*proto$`)

// exchange sends a request as it is written, and holds the answer to what is
// written below it: status, each header that is named, and body. A body of
// protobuf is written in hexadecimal.
func exchange(t *testing.T, srv *servertest.Server, example string) {
	t.Helper()
	request, answer, ok := strings.Cut(example, "\n\nHTTP/1.1 ")
	if !ok {
		t.Fatalf("there is no answer in\n%s", example)
	}
	split := func(message string) (head, body string) {
		head, body, _ = strings.Cut(message, "\n\n")
		if binaryBody.MatchString(head) {
			raw, err := hex.DecodeString(strings.Join(strings.Fields(body), ""))
			if err != nil {
				t.Fatalf("%v in\n%s", err, message)
			}
			body = string(raw)
		}
		return head, body
	}
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", srv.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	head, body := split(request)
	head = strings.ReplaceAll(strings.ReplaceAll(head, address, srv.Addr), "\n", "\r\n")
	if _, err := io.WriteString(conn, head+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%v after\n%s", err, request)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	head, body = split(answer)
	lines := strings.Split(head, "\n")
	if res.Status != lines[0] || string(got) != body && string(got)+"\n" != body {
		t.Errorf("the answer is %s %q, not %s %q, to\n%s", res.Status, got, lines[0], body, request)
	}
	for _, line := range lines[1:] {
		if name, value, _ := strings.Cut(line, ": "); res.Header.Get(name) != value {
			t.Errorf("%s is %q, not %q, after\n%s", name, res.Header.Get(name), value, request)
		}
	}
}

// testCurlExamples runs each command line with curl.
func testCurlExamples(t *testing.T, srv *servertest.Server) {
	tool(t, "curl", "curl")
	ran := 0
	for _, block := range examples(t, "sh", 7) {
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", "")) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "curl ") && !strings.Contains(line, "| curl ") {
				continue
			}
			ran++
			command := strings.ReplaceAll(line, address, srv.Addr)
			out := mustRun(t, t.TempDir(), "/bin/sh", "-c", strings.Replace(command, "curl ", "curl -sS --max-time 60 ", 1))
			if out == "" || strings.Contains(out, `"error"`) || strings.Contains(out, `"code":"`) || strings.Contains(out, "<fault>") {
				t.Errorf("%s\n%s", command, out)
			}
		}
	}
	if ran < 15 {
		t.Errorf("only %d examples with curl were found", ran)
	}
}

// testPythonExamples runs each program with the stubs of the classic contract.
func testPythonExamples(t *testing.T, srv *servertest.Server) {
	const python = "/usr/bin/python3" // Debian's own, for which its packages are
	plugin := tool(t, "grpc_python_plugin", "protobuf-compiler-grpc")
	stubs := t.TempDir()
	contract, err := filepath.Abs("../proto")
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, stubs, tool(t, "protoc", "protobuf-compiler"), "-I"+contract, "--python_out=.", "--grpc_out=.", "--plugin=protoc-gen-grpc="+plugin, "monitoring/metrics.proto")
	for _, program := range examples(t, "python", 7) {
		keeps(t, program, mustRun(t, stubs, "env", "PYTHONPATH="+stubs, python, "-c", strings.ReplaceAll(program, address, srv.Addr)))
	}
}

// imported are the packages that the examples in Go may use.
var imported = map[string]string{
	"client": "github.com/vitals-rpc/vitals/client", "diagnosticsv1": "github.com/vitals-rpc/vitals/gen/diagnostics/v1",
	"monitoring": "github.com/vitals-rpc/vitals/gen/monitoring", "jrpc2": "github.com/creachadair/jrpc2",
	"jhttp": "github.com/creachadair/jrpc2/jhttp", "http": "net/http", "strings": "strings", "xml": "encoding/xml",
}

// testGoExamples makes each example a function, and runs all of them as one
// program, for it is building that takes time.
func testGoExamples(t *testing.T, srv *servertest.Server) {
	programs := examples(t, "go", 7)
	all := strings.Join(programs, "")
	var source strings.Builder
	source.WriteString("package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"log\"\n")
	for name, path := range imported {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(all) {
			source.WriteString("\t" + name + " \"" + path + "\"\n")
		}
	}
	source.WriteString(")\n\nfunc main() {\n\tfor _, example := range []func(context.Context) error{\n")
	for _, program := range programs {
		source.WriteString("func(ctx context.Context) error {\n" + strings.ReplaceAll(program, address, srv.Addr) + "\nfmt.Println(`" + separator + "`)\nreturn nil\n},\n")
	}
	source.WriteString("\t} {\n\t\tif err := example(context.Background()); err != nil {\n\t\t\tlog.Fatal(err)\n\t\t}\n\t}\n}\n")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(source.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	outs := strings.Split(mustRun(t, "", "go", "run", file), separator+"\n")
	for i, program := range programs {
		keeps(t, program, outs[i])
	}
}

// separator stands between what two examples print.
const separator = "-- end of an example --"
