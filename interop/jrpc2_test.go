package interop_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/jhttp"
)

// TestJRPC2 calls by a client of JSON-RPC that others wrote in Go.
func TestJRPC2(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	channel := jhttp.NewChannel(srv.URL, nil)
	client := jrpc2.NewClient(channel, nil)
	defer func() { _ = client.Close() }()

	var sum int
	if err := client.CallResult(t.Context(), "add", []int{5, 3}, &sum); err != nil || sum != 8 {
		t.Errorf("add: %d, %v", sum, err)
	}
	var got sample
	if err := client.CallResult(t.Context(), "get_metric", map[string]string{"metricType": "memory"}, &got); err != nil {
		t.Error(err)
	}
	got.is(t, "memory", "GB")
	if err := client.Notify(t.Context(), "add", []int{5, 3}); err != nil {
		t.Errorf("a notification: %v", err)
	}
	responses, err := client.Batch(t.Context(), []jrpc2.Spec{
		{Method: "uppercase", Params: []string{"hello"}},
		{Method: "add", Params: []int{1}, Notify: true},
		{Method: "get_metric", Params: []string{"nowhere"}},
	})
	if err != nil || len(responses) != 2 || responses[0].ResultString() != `"HELLO"` {
		t.Fatalf("a batch: %v, %v", responses, err)
	}
	if failed := responses[1].Error(); failed == nil || failed.Code != -32005 || string(failed.Data) != `{"code":"not_found"}` {
		t.Errorf("an error in a batch: %v", failed)
	}
	_, err = client.Call(t.Context(), "nothing", nil)
	failed, ok := errors.AsType[*jrpc2.Error](err)
	if !ok || failed.Code != jrpc2.MethodNotFound {
		t.Fatalf("an unknown method: %v", err)
	}
	var data struct{ Reason string }
	if err := json.Unmarshal(failed.Data, &data); err != nil {
		t.Error(err)
	}
	has(t, "an unknown method", data.Reason, `there is no method "nothing"; nearest:`)
}
