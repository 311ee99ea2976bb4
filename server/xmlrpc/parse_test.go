package xmlrpc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/xmlrpc"
)

func methodCall(values ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><methodCall><methodName>mirror</methodName><params>`)
	for _, value := range values {
		b.WriteString("<param>" + value + "</param>")
	}
	b.WriteString("</params></methodCall>")
	return b.String()
}

func TestParseValues(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		call, err := xmlrpc.Parse([]byte(methodCall("<value>" + value + "</value>")))
		if err != nil || call.Method != "mirror" || len(call.Params) != 1 || string(call.Params[0]) != want {
			t.Errorf("%s: %+v, %v; want %s", value, call, err, want)
		}
	}
	f("<int>-5</int>", "-5")
	f("<i4> +7 </i4>", "7")
	f("<i8>9223372036854775807</i8>", "9223372036854775807")
	f("<ex:i8 xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'>1</ex:i8>", "1")
	f("<boolean>1</boolean>", "true")
	f("<boolean>0</boolean>", "false")
	f("<double>-1.25</double>", "-1.25")
	f("<double>1e300</double>", "1e+300")
	f("<double>nan</double>", `"NaN"`)
	f("<double>-inf</double>", `"-Infinity"`)
	f("<string> a &lt;&#233;&amp; <![CDATA[<b>]]> </string>", `" a \u003cé\u0026 \u003cb\u003e "`)
	f("<string/>", `""`)
	f("bare <!-- no --> text", `"bare  text"`)
	f("", `""`)
	f(" \n<int>1</int>\n ", "1")
	f("<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>", `"1998-07-17T14:08:55Z"`)
	f("<dateTime.iso8601>1998-07-17T14:08:55.5+02:00</dateTime.iso8601>", `"1998-07-17T12:08:55.5Z"`)
	f("<dateTime.iso8601>19980717T14:08:55Z</dateTime.iso8601>", `"1998-07-17T14:08:55Z"`)
	f("<base64>\n AP8= \n</base64>", `"AP8="`)
	f("<base64>AP\n8=</base64>", `"AP8="`)
	f("<nil/>", "null")
	f("<array><data/></array>", "[]")
	f("<array>\n<data>\n<value>a</value>\n<value><array><data><value><nil/></value></data></array></value></data></array>", `["a",[null]]`)
	f("<struct/>", "{}")
	f(`<struct><member><name>a"b</name><value><int>1</int></value></member> <member><name></name><value/></member></struct>`, `{"a\"b":1,"":""}`)
}

func TestParseCalls(t *testing.T) {
	f := func(body, method string, params int) {
		t.Helper()
		call, err := xmlrpc.Parse([]byte(body))
		if err != nil || call.Method != method || len(call.Params) != params {
			t.Errorf("%s: %+v, %v", body, call, err)
		}
	}
	f("<methodCall><methodName> a.b </methodName></methodCall>", "a.b", 0)
	f("<methodCall><methodName>a</methodName><params/></methodCall>", "a", 0)
	f("\ufeff<methodCall><methodName>a</methodName></methodCall>\n<!-- end -->", "a", 0)
	f(methodCall("<value>1</value>", "<value>2</value>"), "mirror", 2)
	f("<?xml version='1.0' encoding='ISO-8859-1'?><methodCall><methodName>caf\xe9</methodName></methodCall>", "café", 0)
	f("<?xml version='1.0' encoding='us-ascii'?><methodCall><methodName>a</methodName></methodCall>", "a", 0)
}

func TestParseErrors(t *testing.T) {
	f := func(body string, texts ...string) {
		t.Helper()
		call, err := xmlrpc.Parse([]byte(body))
		if err == nil {
			t.Fatalf("%.200s is read as %+v", body, call)
		}
		for _, text := range append(texts, "at byte") {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%.200s: %q does not say %q", body, err, text)
			}
		}
	}
	value := func(text string, texts ...string) {
		t.Helper()
		f(methodCall("<value>"+text+"</value>"), texts...)
	}
	f("", "ends too early")
	f("no XML", "text between elements")
	f("<methodCall>", "syntax error")
	f("<methodResponse/>", "<methodResponse> stands where <methodCall> belongs")
	f("<methodCall/>", "<methodName> is missing")
	f("<methodCall><methodName>a</methodName><more/></methodCall>", "<more>")
	f("<methodCall><methodName>a</methodName></methodCall><methodCall/>", "behind the call")
	f("<methodCall><methodName>a</methodName></methodCall>x", "behind the call")
	f("<methodCall><methodName>a<b/></methodName></methodCall>", "<b>")
	f("<methodCall><methodName>\xff</methodName></methodCall>", "UTF-8")
	f("<?xml version='1.0' encoding='utf-16'?><methodCall/>", "utf-16")
	f("<?xml version='1.0' encoding='us-ascii'?><methodCall><methodName>\xe9</methodName></methodCall>", "UTF-8")
	f(methodCall("<value/>", "<int>1</int>"), "<int> stands where <value> belongs")
	f(methodCall(strings.Split(strings.Repeat("<value/>,", xmlrpc.MaxParams)+"<value/>", ",")...), "1000 params")
	value("<int>2147483648</int>", "32 bits")
	value("<i8>9223372036854775808</i8>", "64 bits")
	value("<int>1.5</int>", `"1.5"`, "int")
	value("<int></int>", "int")
	value("<boolean>true</boolean>", "boolean")
	value("<double>0x1p4</double>", "double")
	value("<double>one</double>", "double")
	value("<dateTime.iso8601>yesterday</dateTime.iso8601>", "dateTime.iso8601")
	value("<base64>!</base64>", "base64")
	value("<nil>x</nil>", "nil")
	value("<uuid>x</uuid>", "uuid", "there are int, i4, i8")
	value("<int>1</int><int>2</int>", "<int> does not belong there")
	value("text<int>1</int>", "text before <int>")
	value("<int>1</int>text", "text between elements")
	value("<array/>", "<data> is missing")
	value("<array><data><int>1</int></data></array>", "<int> stands where <value> belongs")
	value("<struct><value/></struct>", "<value> stands where <member> belongs")
	value("<struct><member><value/></member></struct>", "<name> belongs")
	value("<struct><member><name>a</name></member></struct>", "<value> is missing")
	value("&unknown;", "entity")
	value(strings.Repeat("<array><data><value>", xmlrpc.MaxDepth+1)+strings.Repeat("</value></data></array>", xmlrpc.MaxDepth+1), "deeper than 64")
	value("<array><data>"+strings.Repeat("<value/>", xmlrpc.MaxValues)+"</data></array>", "200000 values")
}

// No document type is read, so that nothing is expanded and nothing fetched.
func TestNoDocumentType(t *testing.T) {
	for _, body := range []string{
		`<!DOCTYPE methodCall><methodCall><methodName>a</methodName></methodCall>`,
		`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>`,
		`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><methodCall><methodName>&a;</methodName></methodCall>`,
		`<methodCall><!DOCTYPE x><methodName>a</methodName></methodCall>`,
		`<methodCall><methodName><!ENTITY a "b">a</methodName></methodCall>`,
		methodCall(`<value><!ENTITY a "b">a</value>`),
		methodCall(`<value><string><!ENTITY a "b">a</string></value>`),
	} {
		if call, err := xmlrpc.Parse([]byte(body)); err == nil || !strings.Contains(err.Error(), "document type") {
			t.Errorf("%s: %+v, %v", body, call, err)
		}
	}
}

// checkParse holds what the parser makes of a body to what the dispatcher relies
// on.
func checkParse(t *testing.T, body []byte) {
	t.Helper()
	call, err := xmlrpc.Parse(body)
	if err != nil {
		if call.Method != "" || call.Params != nil {
			t.Errorf("%q: both %+v and %v", body, call, err)
		}
		return
	}
	for _, param := range call.Params {
		if !json.Valid(param) {
			t.Errorf("%q: param %q", body, param)
		}
	}
}
