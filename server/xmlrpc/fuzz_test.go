package xmlrpc_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// seeds are whole and broken calls.
var seeds = []string{
	"",
	"<methodCall/>",
	methodCall(),
	methodCall("<value><boolean>1</boolean></value>", "<value><i8>-9223372036854775808</i8></value>", "<value>7</value>", "<value><double>1e3</double></value>"),
	methodCall(`<value><struct><member><name>text</name><value>a&amp;b<!-- c --></value></member><member><name>numbers</name><value><array><data><value><double>nan</double></value></data></array></value></member></struct></value>`),
	methodCall("<value><struct><member><name>at</name><value><dateTime.iso8601>19980717T14:08:55</dateTime.iso8601></value></member><member><name>data</name><value><base64>AP8=</base64></value></member><member><name>inner</name><value><nil/></value></member></struct></value>"),
	"<methodCall><methodName>system.listMethods</methodName></methodCall>",
	"<methodCall><methodName>system.methodHelp</methodName><params><param><value>mirror</value></param></params></methodCall>",
	"<methodCall><methodName>system.methodSignature</methodName><params><param><value>sum</value></param></params></methodCall>",
	"<methodCall><methodName>system.multicall</methodName><params><param><value><array><data><value><struct><member><name>methodName</name><value>sum</value></member><member><name>params</name><value><array><data><value><int>1</int></value></data></array></value></member></struct></value></data></array></value></param></params></methodCall>",
	"<methodCall><methodName>fail</methodName><params><param><value><int>5</int></value></param></params></methodCall>",
	"<methodCall><methodName>follow</methodName></methodCall>",
	`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><methodCall><methodName>&a;</methodName></methodCall>`,
	"<?xml version='1.0' encoding='ISO-8859-1'?><methodCall><methodName>caf\xe9</methodName></methodCall>",
	strings.Repeat("<value>", 100),
}

// checkAnswer calls with a body and holds the answer to its form.
func checkAnswer(t *testing.T, handler http.Handler, body []byte) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "text/xml")
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	text := rec.Body.String()
	if rec.Code != http.StatusOK {
		t.Errorf("%q is answered with %d %q", body, rec.Code, text)
	}
	var path []string
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%q is answered with %q: %v", body, text, err)
		}
		if start, ok := token.(xml.StartElement); ok && len(path) < 2 {
			path = append(path, start.Name.Local)
		}
	}
	if got := strings.Join(path, "/"); got != "methodResponse/params" && got != "methodResponse/fault" {
		t.Errorf("%q is answered with %q", body, text)
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
	handler := newHandler(f)
	f.Fuzz(func(t *testing.T, body []byte) { checkAnswer(t, handler, body) })
}

// TestMutations is a short run of the fuzz targets, with the same bodies each time.
func TestMutations(t *testing.T) {
	handler := newHandler(t)
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
				body[at] = `<>/&;!-]" 09Ent.`[random.IntN(16)]
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
