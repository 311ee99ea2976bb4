package xmlrpc_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/transport/transporttest"
	"github.com/vitals-rpc/vitals/server/xmlrpc"
)

// limit is the largest message of the tests' server.
const limit = 1 << 18

func newHandler(tb testing.TB) *xmlrpc.Handler {
	tb.Helper()
	return xmlrpc.New(xmlrpc.Options{Methods: transporttest.New(tb, nil), MaxMessageBytes: limit})
}

// asker posts to a server of its own.
type asker struct {
	t   *testing.T
	url string
}

func newAsker(t *testing.T) asker {
	t.Helper()
	srv := httptest.NewServer(newHandler(t))
	t.Cleanup(srv.Close)
	return asker{t, srv.URL}
}

func (a asker) post(method, body string, header ...string) (*http.Response, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, line := range append([]string{"Content-Type: text/xml"}, header...) {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res, string(text)
}

// call calls a method with values and holds the answer to these parts.
func (a asker) call(method string, values []string, parts ...string) {
	a.t.Helper()
	body := strings.Replace(methodCall(values...), "mirror", method, 1)
	res, text := a.post(http.MethodPost, body)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
		a.t.Errorf("%s: %d %v", method, res.StatusCode, res.Header)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			a.t.Errorf("%s %v: %s has no %s", method, values, text, part)
		}
	}
}

func member(name, value string) string {
	return "<member><name>" + name + "</name><value>" + value + "</value></member>"
}

func TestResults(t *testing.T) {
	a := newAsker(t)
	f := func(params string, parts ...string) {
		t.Helper()
		a.call("mirror", []string{"<value><struct>" + params + "</struct></value>"}, parts...)
	}
	const zero = "<struct><member><name>yes</name><value><boolean>0</boolean></value></member><member><name>large_int</name><value><int>0</int></value></member>"
	f("", zero, member("text", "<string></string>"), member("numbers", "<array><data></data></array>"), member("labels", "<struct></struct>"),
		member("color", "<string>COLOR_UNSPECIFIED</string>"), "</params></methodResponse>")
	f(member("large_int", "<int>2147483647</int>"), member("large_int", "<int>2147483647</int>"))
	f(member("largeInt", "<i8>2147483648</i8>"), member("large_int", "<i8>2147483648</i8>"))
	f(member("large_int", "<i8>-9223372036854775808</i8>"), member("large_int", "<i8>-9223372036854775808</i8>"))
	f(member("large_uint", "<string>18446744073709551615</string>"), member("large_uint", "<string>18446744073709551615</string>"))
	f(member("number", "<double>1e-7</double>"), member("number", "<double>0.0000001</double>"))
	f(member("number", "<double>nan</double>")+member("single", "<double>-inf</double>"), member("number", "<double>NaN</double>"), member("single", "<double>-Infinity</double>"))
	f(member("text", "a&lt;&amp;&gt;\té"), member("text", "<string>a&lt;&amp;&gt;&#x9;é</string>"))
	f(member("data", "<base64>AP8=</base64>"), member("data", "<base64>AP8=</base64>"))
	f(member("at", "<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>"), member("at", "<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>"))
	f(member("took", "1.5s"), member("took", "<string>1.500s</string>"))
	f(member("any_value", "<array><data><value><nil/></value><value><double>2.5</double></value><value><boolean>1</boolean></value></data></array>"),
		member("any_value", "<array><data><value><nil/></value><value><double>2.5</double></value><value><boolean>1</boolean></value></data></array>"))
	f(member("labels", "<struct>"+member("b", "2")+member("a", "1")+"</struct>"),
		member("labels", "<struct>"+member("a", "<string>1</string>")+member("b", "<string>2</string>")+"</struct>"))
	f(member("inner", "<struct>"+member("yes", "<boolean>1</boolean>")+"</struct>"), member("yes", "<boolean>1</boolean>"))
	f(member("maybe", "<int>0</int>")+member("right", "<int>0</int>"), member("maybe", "<int>0</int>"), member("right", "<int>0</int>"))

	if _, text := a.post(http.MethodPost, methodCall()); strings.Contains(text, "inner") || strings.Contains(text, "<name>at<") || strings.Contains(text, "nil") {
		t.Errorf("what is not there is there: %s", text)
	}
	// Characters that XML cannot have are replaced rather than break the answer.
	a.call("mirror", []string{"<value><struct>" + member("any_value", "a&#xD;b") + "</struct></value>"}, "a&#xD;b")
	a.call("sum", []string{"<value><int>1</int></value>", "<value><nil/></value>", "<value><int>2</int></value>"}, "<param><value><int>3</int></value></param>")
	a.call("trial.v1.TrialService.Sum", nil, "<param><value><int>0</int></value></param>")
	a.call("trial.v1.TrialService/Sum", nil, "<param><value><int>0</int></value></param>")
	a.call("get_data", nil, "<param><value><array><data><value><string>hello</string></value><value><int>5</int></value></data></array></value></param>")
	a.call("update", nil, "<param><value><struct></struct></value></param>")
}

func TestFaults(t *testing.T) {
	a := newAsker(t)
	f := func(method string, values []string, code int, text string) {
		t.Helper()
		a.call(method, values, "<methodResponse><fault><value><struct>"+member("faultCode", fmt.Sprintf("<int>%d</int>", code)), member("faultString", "<string>")[:40], text)
	}
	for _, code := range []int{1, 3, 5, 8, 13, 16} {
		f("fail", []string{fmt.Sprintf("<value><int>%d</int></value>", code)}, code, fmt.Sprintf("this is code %d", code))
	}
	f("break", nil, 13, "the result of break cannot be written")
	f("summ", nil, 12, "nearest: sum")
	f("follow", nil, 12, "answers with a stream")
	f("sum", []string{"<value>x</value>"}, 3, "field a")
	f("sum", []string{"<value><struct>" + member("z", "") + "</struct></value>"}, 3, "unknown field")
	f("system.methodHelp", []string{"<value>summ</value>"}, 12, "nearest: sum")
	f("system.methodHelp", nil, 3, "name of a method")
	f("system.methodSignature", []string{"<value><int>1</int></value>"}, 3, "name of a method")
	f("system.listMethods", []string{"<value>x</value>"}, 3, "no params")
	f("system.multicall", nil, 3, "takes one array")
	f("system.multicall", []string{"<value><array><data><value><struct/></value></data></array></value>"}, 3, "call 0 has no methodName")
	if _, text := a.post(http.MethodPost, "<a/>"); !strings.Contains(text, "<int>3</int>") || !strings.Contains(text, "no XML-RPC call") {
		t.Errorf("%s", text)
	}
}

func TestSystem(t *testing.T) {
	a := newAsker(t)
	a.call("system.listMethods", nil, "<value><string>mirror</string></value>", "<value><string>system.multicall</string></value>")
	signature := func(method string, kinds ...string) {
		t.Helper()
		a.call("system.methodSignature", []string{"<value>" + method + "</value>"},
			"<value><array><data><value><string>"+strings.Join(kinds, "</string></value><value><string>")+"</string></value></data></array></value>")
	}
	signature("sum", "int", "int", "int", "int", "int", "int")
	signature("get_data", "struct")
	signature("mirror", "struct", "boolean", "i8", "i8", "double", "double", "string", "base64", "dateTime.iso8601", "string", "struct", "string", "array", "struct", "struct", "string", "int", "int")
	signature("system.methodHelp", "string", "string")
	one := func(method, params string) string {
		return "<value><struct>" + member("methodName", method) + member("params", "<array><data>"+params+"</data></array>") + "</struct></value>"
	}
	a.call("system.multicall", []string{"<value><array><data>" + one("sum", "<value><int>1</int></value>") + one("nothing", "") + one("system.multicall", "") + one("system.methodHelp", "<value>system.multicall</value>") + "</data></array></value>"},
		"<params><param><value><array><data><value><array><data><value><int>1</int></value></data></array></value><value><struct><member><name>faultCode</name><value><int>12</int>",
		"cannot call itself", "Makes several calls.", "</data></array></value></param></params></methodResponse>")
	a.call("system.multicall", []string{"<value><array><data></data></array></value>"}, "<params><param><value><array><data></data></array></value></param></params>")
	a.call("system.multicall", []string{"<value><array><data>" + strings.Repeat(one("sum", ""), xmlrpc.MaxMulticall+1) + "</data></array></value>"}, "more than 1000 calls")
}

func TestHTTP(t *testing.T) {
	a := newAsker(t)
	sum := strings.Replace(methodCall("<value><int>1</int></value>"), "mirror", "sum", 1)
	f := func(method, body string, status int, part string, header ...string) {
		t.Helper()
		if res, text := a.post(method, body, header...); res.StatusCode != status || !strings.Contains(text, part) {
			t.Errorf("%s %v: %d %.300s, want %d with %s", method, header, res.StatusCode, text, status, part)
		}
	}
	f("POST", sum, 200, "<int>1</int>")
	f("POST", sum, 200, "<int>1</int>", "Content-Type: application/xml; charset=utf-8")
	f("GET", "", 405, "POST")
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json", "text/html", ""} {
		f("POST", sum, 415, "text/xml", "Content-Type: "+contentType)
	}
	large := "<!-- " + strings.Repeat("x", limit) + " -->" + sum
	f("POST", large, 200, "<int>8</int>")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, large)
	_ = w.Close()
	f("POST", packed.String(), 200, "larger than the limit", "Content-Encoding: gzip")
}
