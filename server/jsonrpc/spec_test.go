package jsonrpc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/vitals-rpc/vitals/server/jsonrpc"
	"github.com/vitals-rpc/vitals/server/transport/transporttest"
)

// limit is the largest message of the tests' server.
const limit = 1 << 17

// calls are the methods that were called.
type calls struct {
	mu    sync.Mutex
	names []string
}

func (c *calls) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = append(c.names, name)
}

func (c *calls) take() (names string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names, c.names = strings.Join(c.names, " "), nil
	return names
}

func newHandler(tb testing.TB, called func(string)) *jsonrpc.Handler {
	tb.Helper()
	handler, err := jsonrpc.New(jsonrpc.Options{Methods: transporttest.New(tb, called), MaxMessageBytes: limit, Title: "Trial", Version: "1"})
	if err != nil {
		tb.Fatal(err)
	}
	return handler
}

func newServer(t *testing.T) (url string, called *calls) {
	t.Helper()
	called = new(calls)
	srv := httptest.NewServer(newHandler(t, called.add))
	t.Cleanup(srv.Close)
	return srv.URL, called
}

// post sends a body and returns the HTTP status and the answer.
func post(t *testing.T, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// withoutData parses an answer and takes the data from its errors, which are ours
// to add and not in the examples.
func withoutData(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	responses, ok := value.([]any)
	if !ok {
		responses = []any{value}
	}
	for _, response := range responses {
		if failed, ok := response.(map[string]any)["error"].(map[string]any); ok {
			delete(failed, "data")
		}
	}
	return value
}

// TestSpecificationExamples has the examples of section 7 of the specification, in
// its order, each with what was called.
func TestSpecificationExamples(t *testing.T) {
	url, called := newServer(t)
	f := func(name, body, want, wantCalled string) {
		t.Helper()
		status, got := post(t, url, body)
		if !reflect.DeepEqual(withoutData(t, got), withoutData(t, want)) {
			t.Errorf("%s:\n--> %s\n<-- %s\nwant %s", name, body, got, want)
		}
		if wantStatus := map[bool]int{true: http.StatusNoContent, false: http.StatusOK}[want == ""]; status != wantStatus {
			t.Errorf("%s: HTTP %d, want %d", name, status, wantStatus)
		}
		if names := called.take(); names != wantCalled {
			t.Errorf("%s called %q, want %q", name, names, wantCalled)
		}
	}
	f("positional 1", `{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}`,
		`{"jsonrpc": "2.0", "result": 19, "id": 1}`, "Subtract")
	f("positional 2", `{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}`,
		`{"jsonrpc": "2.0", "result": -19, "id": 2}`, "Subtract")
	f("named 1", `{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}`,
		`{"jsonrpc": "2.0", "result": 19, "id": 3}`, "Subtract")
	f("named 2", `{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}`,
		`{"jsonrpc": "2.0", "result": 19, "id": 4}`, "Subtract")
	f("notification 1", `{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}`, "", "Update")
	f("notification 2", `{"jsonrpc": "2.0", "method": "foobar"}`, "", "")
	f("non-existent method", `{"jsonrpc": "2.0", "method": "foobar", "id": "1"}`,
		`{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}`, "")
	f("invalid JSON", `{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`,
		`{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}`, "")
	f("invalid request", `{"jsonrpc": "2.0", "method": 1, "params": "bar"}`,
		`{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}`, "")
	f("batch, invalid JSON", `[
		{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
		{"jsonrpc": "2.0", "method"
	]`, `{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}`, "")
	f("empty array", `[]`,
		`{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}`, "")
	f("invalid batch, not empty", `[1]`,
		`[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]`, "")
	f("invalid batch", `[1,2,3]`,
		`[{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
		{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
		{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}]`, "")
	f("batch", `[
		{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
		{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
		{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
		{"foo": "boo"},
		{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
		{"jsonrpc": "2.0", "method": "get_data", "id": "9"}
	]`, `[
		{"jsonrpc": "2.0", "result": 7, "id": "1"},
		{"jsonrpc": "2.0", "result": 19, "id": "2"},
		{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
		{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
		{"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
	]`, "Sum NotifyHello Subtract GetData")
	f("batch of notifications", `[
		{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
		{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
	]`, "", "NotifySum NotifyHello")
}
