package jsonrpc_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/jsonrpc"
)

// seeds are whole and broken calls.
var seeds = []string{
	"",
	"[]",
	"[1,null,{}]",
	`{"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":1}`,
	`{"jsonrpc":"2.0","method":"subtract","params":{"subtrahend":23,"minuend":42},"id":"a"}`,
	`[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":null},{"jsonrpc":"2.0","method":"notify_hello"}]`,
	`{"jsonrpc":"2.0","method":"mirror","params":{"largeInt":"9223372036854775807","text":"\ud83d\ude00","labels":{"a":"b"},"any_value":[1e308],"at":"2026-11-22T10:00:00Z"},"id":-1.5e3}`,
	`{"jsonrpc":"2.0","method":"mirror","params":[true,1,2,3.5,"NaN","t","AP8=",null,"1s",{"x":[{}]},"COLOR_RED",[1],{"inner":{}},{"k":"v"}],"id":0}`,
	`{"jsonrpc":"2.0","method":"rpc.discover","id":1}`,
	`{"jsonrpc":"2.0","method":"follow","id":1}`,
	`{"jsonrpc":"2.0","method":"fail","params":[99],"id":1}`,
	`{"jsonrpc":"2.0","jsonrpc":"2.0"}`,
	`{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`,
	"\xff{\x00",
	"\ufeff[]",
	strings.Repeat("[", 200),
}

// checkParse holds what the parser makes of a body to what the dispatcher relies
// on.
func checkParse(t *testing.T, body []byte) {
	t.Helper()
	requests, batch, failed := jsonrpc.Parse(body)
	if failed != nil {
		if len(requests) > 0 {
			t.Errorf("%q: both requests and %v", body, failed)
		}
		return
	}
	if !json.Valid(bytes.TrimPrefix(body, []byte("\ufeff"))) || len(requests) == 0 || len(requests) > jsonrpc.MaxBatch || !batch && len(requests) != 1 {
		t.Errorf("%q: %d requests", body, len(requests))
	}
	for _, r := range requests {
		if r.ID != nil && !json.Valid(r.ID) || r.Params.Named != nil && !json.Valid(r.Params.Named) {
			t.Errorf("%q: %+v", body, r)
		}
		for _, param := range r.Params.Positional {
			if !json.Valid(param) {
				t.Errorf("%q: param %q", body, param)
			}
		}
	}
}

// checkAnswer calls with a body and holds the answer to the specification.
func checkAnswer(t *testing.T, handler http.Handler, body []byte) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	text := rec.Body.Bytes()
	if rec.Code == http.StatusNoContent && len(text) == 0 {
		return
	}
	var one map[string]json.RawMessage
	many := []map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &one); err == nil {
		many = append(many, one)
	} else if err := json.Unmarshal(text, &many); err != nil || len(many) == 0 {
		t.Fatalf("%q is answered with %q", body, text)
	}
	for _, response := range many {
		_, result := response["result"]
		_, failed := response["error"]
		if rec.Code != http.StatusOK || len(response) != 3 || string(response["jsonrpc"]) != `"2.0"` || response["id"] == nil || result == failed {
			t.Errorf("%q is answered with %d %q", body, rec.Code, text)
		}
	}
}

// FuzzParse gives any bytes to the parser.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkParse(t, body) })
}

// FuzzServe gives any bytes to the handler.
func FuzzServe(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	handler := newHandler(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) { checkAnswer(t, handler, body) })
}

// TestMutations is a short run of the fuzz targets, with the same bodies each time.
func TestMutations(t *testing.T) {
	handler := newHandler(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		body := []byte(seeds[random.IntN(len(seeds))])
		for range 1 + random.IntN(4) {
			if len(body) == 0 {
				break
			}
			at := random.IntN(len(body))
			switch other := seeds[random.IntN(len(seeds))]; random.IntN(4) {
			case 0:
				body = append(body[:at:at], body[at+1:]...)
			case 1:
				body[at] = `{}[]",:\09ent-. `[random.IntN(16)]
			case 2:
				body = append(body[:at:at], other...)
			case 3:
				body = append(body[:at:at], append([]byte(other), body[at:]...)...)
			}
		}
		checkParse(t, body)
		checkAnswer(t, handler, body)
	}
}
