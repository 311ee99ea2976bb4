package jsonrpc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/jsonrpc"
)

func TestIDs(t *testing.T) {
	url, _ := newServer(t)
	f := func(id, want string) {
		t.Helper()
		_, got := post(t, url, `{"jsonrpc":"2.0","method":"sum","params":[1],"id":`+id+`}`)
		if !strings.HasSuffix(got, `,"id":`+want+`}`) {
			t.Errorf("id %s: %s", id, got)
		}
		if valid := !strings.Contains(got, "-32600"); valid != (id == want) {
			t.Errorf("id %s: %s", id, got)
		}
	}
	for _, id := range []string{"1", "-7", "0", "1.5", "1e3", "9007199254740993", "123456789012345678901234567890", `"a"`, `""`, `"\u00e9\n\"\\"`, `"é"`, "null"} {
		f(id, id)
	}
	for _, id := range []string{"true", "false", "[]", "[1]", "{}", `{"a":1}`} {
		f(id, "null")
	}
}

func TestErrors(t *testing.T) {
	url, _ := newServer(t)
	f := func(body string, code int, texts ...string) {
		t.Helper()
		status, got := post(t, url, body)
		var response struct {
			Error struct {
				Code    int
				Message string
				Data    json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(got), &response); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v: %q", body, status, err, got)
		}
		if response.Error.Code != code {
			t.Errorf("%s: %s, want %d", body, got, code)
		}
		for _, text := range texts {
			if !strings.Contains(got, text) {
				t.Errorf("%s: %s has no %q", body, got, text)
			}
		}
	}
	call := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	}
	f("", -32700, "not JSON")
	f("\xff", -32700, "UTF-8")
	f(`{"jsonrpc":"2.0","id":1,"method":"sum"} x`, -32700, "byte 41")
	f(strings.Repeat("[", jsonrpc.MaxDepth+1)+strings.Repeat("]", jsonrpc.MaxDepth+1), -32700, "deeper than 100")
	f(strings.Repeat(`{"a":`, jsonrpc.MaxDepth+1)+"1"+strings.Repeat("}", jsonrpc.MaxDepth+1), -32700, "deeper than 100")
	f(`"call"`, -32600)
	f("null", -32600)
	f(`{"id":1,"method":"sum"}`, -32600, `not \"2.0\"`)
	f(`{"jsonrpc":"1.0","id":1,"method":"sum"}`, -32600, `not \"2.0\"`, `"id":1}`)
	f(`{"jsonrpc":2.0,"id":1,"method":"sum"}`, -32600)
	f(`{"jsonrpc":"2.0","id":1}`, -32600, "method")
	f(`{"jsonrpc":"2.0","id":1,"method":null}`, -32600, "method")
	f(`{"jsonrpc":"2.0","id":1,"method":"sum","params":5}`, -32600, "params")
	f(`{"jsonrpc":"2.0","id":1,"method":"sum","params":null}`, -32600, "params")
	f(`{"jsonrpc":"2.0","id":1,"method":"sum","method":"fail"}`, -32600, "twice")
	f(`{"jsonrpc":"2.0","id":1,"METHOD":"sum"}`, -32600, "method")
	f(call("summ", "[]"), -32601, `there is no method \"summ\"; nearest: sum`)
	f(call("rpc.nothing", "[]"), -32601)
	f(call("", "[]"), -32601)
	f(call("subtract", `["x"]`), -32602, "minuend", "subtract takes minuend (int32), subtrahend (int32)")
	f(call("subtract", `[1,2,3]`), -32602, "3 params are too many")
	f(call("subtract", `[1.5]`), -32602, "minuend")
	f(call("subtract", `[2147483648]`), -32602, "minuend")
	f(call("subtract", `{"minuen":1}`), -32602, `unknown field \"minuen\"`)
	f(call("subtract", `{"minuend":1,"minuend":2}`), -32602, "minuend")
	f(call("get_data", `[1]`), -32602, "get_data takes no params")
	f(call("subtract", "["+strings.Repeat("1,", 2000)+"1]"), -32600, "1000 params")
	for code, name := range []string{1: "canceled", 2: "unknown", 3: "invalid_argument", 5: "not_found", 8: "resource_exhausted", 12: "unimplemented", 13: "internal", 14: "unavailable", 16: "unauthenticated"} {
		if name != "" {
			f(call("fail", fmt.Sprintf("[%d]", code)), -32000-code, fmt.Sprintf("this is code %d", code), `"code":"`+name+`"`)
		}
	}
	f(call("break", "[]"), -32603, `"message":"Internal error"`, "the result of break cannot be written")
	for method, words := range map[string]string{"follow": "answers with a stream", "collect": "takes a stream", "converse": "streams both ways"} {
		f(call(method, "[]"), -32012, words, `"procedure":"/trial.v1.TrialService/`, "gRPC")
	}
	f(`[`+strings.TrimSuffix(strings.Repeat(call("sum", "[1]")+",", jsonrpc.MaxBatch+1), ",")+`]`, -32600, "1000 requests")
}

func TestParams(t *testing.T) {
	url, _ := newServer(t)
	f := func(method, params, want string) {
		t.Helper()
		body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `"`
		if params != "" {
			body += `,"params":` + params
		}
		if _, got := post(t, url, body+"}"); got != `{"jsonrpc":"2.0","result":`+want+`,"id":1}` {
			t.Errorf("%s%s is %s, want %s", method, params, got, want)
		}
	}
	f("subtract", "", "0")
	f("subtract", "[]", "0")
	f("subtract", "{}", "0")
	f("subtract", "[5]", "5")
	f("subtract", "[null,5]", "-5")
	f("sum", "[1,2,3,4,5]", "15") // by number, whatever the order in the file
	f("trial.v1.TrialService/Subtract", "[3,1]", "2")
	f("trial.v1.TrialService.Subtract", "[3,1]", "2")
	f("update", "[1]", "{}")
	f("get_data", "", `["hello",5]`)
}

// zero is Everything with nothing in it.
const zero = `{"yes":false,"large_int":0,"large_uint":0,"single":0,"number":0,"text":"","data":"","at":null,"took":null,"any_value":null,` +
	`"color":"COLOR_UNSPECIFIED","numbers":[],"inner":null,"labels":{},"maybe":null}`

func TestResults(t *testing.T) {
	url, _ := newServer(t)
	f := func(params string, members ...string) {
		t.Helper()
		_, got := post(t, url, `{"jsonrpc":"2.0","id":1,"method":"mirror","params":`+params+`}`)
		if !json.Valid([]byte(got)) {
			t.Errorf("%s gives what is no JSON: %s", params, got)
		}
		for _, member := range members {
			if !strings.Contains(got, member) {
				t.Errorf("%s has no %s: %s", params, member, got)
			}
		}
	}
	f(`{}`, `"result":`+zero)
	f(`{"inner":{}}`, `"inner":`+zero)
	f(`{"yes":true,"largeInt":9007199254740992}`, `"yes":true`, `"large_int":9007199254740992,`)
	f(`{"large_int":"-9007199254740992"}`, `"large_int":-9007199254740992,`)
	f(`{"large_int":9007199254740993}`, `"large_int":"9007199254740993"`)
	f(`{"large_int":"-9223372036854775808","large_uint":"18446744073709551615"}`, `"large_int":"-9223372036854775808"`, `"large_uint":"18446744073709551615"`)
	f(`{"single":0.1,"number":0.1}`, `"single":0.1,`, `"number":0.1,`)
	f(`{"number":1e-300}`, `"number":1e-300`)
	f(`{"number":1e300}`, `"number":1e+300`)
	f(`{"number":"NaN","single":"-Infinity","numbers":[1.5,"Infinity"]}`, `"number":"NaN"`, `"single":"-Infinity"`, `"numbers":[1.5,"Infinity"]`)
	f(`{"text":"a\"b\\c\n\t\u0001é<&\u2028\ud83d\ude00"}`, `"text":"a\"b\\c\n\u0009\u0001é<&`+"\u2028😀"+`"`)
	f(`{"data":"AP8="}`, `"data":"AP8="`)
	f(`{"at":"2026-11-22T10:00:00.25Z","took":"1.500s"}`, `"at":"2026-11-22T10:00:00.25Z"`, `"took":"1.500s"`)
	f(`{"any_value":{"b":[1,2.5,null,true,"x"],"a":{}}}`, `"any_value":{"a":{},"b":[1,2.5,null,true,"x"]}`)
	f(`{"color":"COLOR_RED"}`, `"color":"COLOR_RED"`)
	f(`{"color":7}`, `"color":7`)
	f(`{"labels":{"z":"1","a":"2"}}`, `"labels":{"a":"2","z":"1"}`)
	f(`{"left":"x"}`, `"left":"x"`)
	f(`{"right":0,"maybe":0}`, `"right":0`, `"maybe":0`)
	f(`[true,5]`, `"yes":true`, `"large_int":5`)
}

func TestHTTP(t *testing.T) {
	url, called := newServer(t)
	const call = `{"jsonrpc":"2.0","id":1,"method":"sum","params":[1]}`
	f := func(method, body string, want int, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Add(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != want {
			t.Errorf("%s %v: %d %s, want %d", method, header, res.StatusCode, text, want)
		}
		return res, string(text)
	}
	for _, contentType := range []string{"application/json", "application/json-rpc", "application/jsonrequest", "application/json; charset=utf-8", "Application/JSON"} {
		if res, text := f("POST", call, 200, "Content-Type: "+contentType); !strings.Contains(text, `"result":1`) || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v %s", contentType, res.Header, text)
		}
	}
	called.take()
	// What a page may send to any origin unasked is not taken.
	for _, contentType := range []string{"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x", "Content-Type: text/plain; application/json", "X-No: type", "Content-Type: ", "Content-Type: application/json, text/plain"} {
		if res, text := f("POST", call, 415, contentType); !strings.Contains(text, "application/json") || !strings.Contains(res.Header.Get("Accept-Post"), "application/json-rpc") {
			t.Errorf("%s: %v %s", contentType, res.Header, text)
		}
	}
	f("POST", call, 415, "Content-Type: application/json", "Content-Type: text/plain")
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		if res, _ := f(method, "", 405, "Content-Type: application/json"); res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %v", method, res.Header)
		}
	}
	if names := called.take(); names != "" {
		t.Errorf("called all the same: %s", names)
	}
	const notification = `{"jsonrpc":"2.0","method":"sum"}`
	if _, text := f("POST", notification, 204, "Content-Type: application/json"); text != "" {
		t.Errorf("a notification is answered with %q", text)
	}
	if _, text := f("POST", notification, 200, "Content-Type: application/json-rpc"); text != "" {
		t.Errorf("a notification is answered with %q", text)
	}
}

func pack(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestSizes(t *testing.T) {
	url, _ := newServer(t)
	call := func(size int) string {
		return `{"jsonrpc":"2.0","id":1,"method":"mirror","params":{"text":"` + strings.Repeat("x", size) + `"}}`
	}
	around := limit - len(call(0))
	f := func(body string, want string, header ...string) {
		t.Helper()
		if status, got := post(t, url, body, header...); status != 200 || !strings.Contains(got, want) {
			t.Errorf("%d bytes %v: %d %.300s", len(body), header, status, got)
		}
	}
	const packed = "Content-Encoding: gzip"
	f(call(around), `"text":"xxx`)
	f(call(around+1), "-32008")
	f(pack(call(around)), `"text":"xxx`, packed)
	f(pack(call(around+1)), "-32008", packed)
	f(pack(strings.Repeat("\x00", 8<<20)), "larger than the limit of 131072 bytes", packed)
	f(call(1), "-32003", packed)
	f(pack(call(1))[:20], "-32003", packed)
	f(call(1), "-32012", "Content-Encoding: br")
	f(call(1), `"text":"x"`, "Content-Encoding: identity")

	// The answer is packed for who takes that, which http.DefaultClient undoes.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(call(100_000)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, _ := io.ReadAll(res.Body)
	if res.Header.Get("Content-Encoding") != "gzip" || len(raw) > 10_000 || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v, %d bytes", res.Header, len(raw))
	}
}

func TestLargeBatch(t *testing.T) {
	url, called := newServer(t)
	var b strings.Builder
	for i := range jsonrpc.MaxBatch {
		b.WriteString(map[bool]string{true: "[", false: ","}[i == 0])
		b.WriteString(`{"jsonrpc":"2.0","method":"sum","params":[1,` + strconv.Itoa(i) + `],"id":` + strconv.Itoa(i) + `}`)
	}
	_, got := post(t, url, b.String()+"]")
	var responses []struct{ ID, Result int }
	if err := json.Unmarshal([]byte(got), &responses); err != nil || len(responses) != jsonrpc.MaxBatch {
		t.Fatalf("%d responses, %v", len(responses), err)
	}
	for i, r := range responses {
		if r.ID != i || r.Result != i+1 {
			t.Errorf("response %d: %+v", i, r)
		}
	}
	if n := len(strings.Fields(called.take())); n != jsonrpc.MaxBatch {
		t.Errorf("%d calls", n)
	}
}
