package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/servertest"
	"github.com/vitals-rpc/vitals/server/store"
	"github.com/vitals-rpc/vitals/server/transport/transporttest"
)

const asXML = "Content-Type: text/xml"

func jsonCall(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
}

func xmlCall(method string, values ...string) string {
	var b strings.Builder
	for _, value := range values {
		b.WriteString("<param><value>" + value + "</value></param>")
	}
	return "<methodCall><methodName>" + method + "</methodName><params>" + b.String() + "</params></methodCall>"
}

// Calls by name pass what all calls pass: they have an id, are logged and counted
// under their protocol, and validated.
func TestCallsByName(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	eachHTTP(t, srv, func(t *testing.T, c *http.Client) {
		f := func(path, body, contentType, want string) answer {
			t.Helper()
			got := send(t, c, http.MethodPost, srv.URL+path, body, contentType, "X-Request-Id: mine-"+t.Name())
			if got.status != http.StatusOK || !strings.Contains(got.body, want) || got.header.Get("X-Request-Id") != "mine-"+t.Name() {
				t.Errorf("%s %s: %d %v %s", path, body, got.status, got.header, got.body)
			}
			return got
		}
		for _, path := range []string{"/", "/jsonrpc"} {
			f(path, jsonCall("add", "[5,3]"), asJSON, `"result":8`)
			f(path, jsonCall("get_metric", `{"hostname":"nowhere"}`), asJSON, `{"code":-32005,"message":"host \"nowhere\" is not known; nearest: server01","data":{"code":"not_found"}}`)
			f(path, jsonCall("calculate_metrics", "[[],[]]"), asJSON, `"type":"buf.validate.Violations"`)
			f(path, jsonCall("get_metric", `["server01","disk"]`), asJSON, `"value":40`)
		}
		for _, path := range []string{"/", "/RPC2"} {
			f(path, xmlCall("add", "<int>5</int>", "<int>3</int>"), asXML, "<int>8</int>")
			f(path, xmlCall("get_metric", "nowhere"), asXML, "<int>5</int>")
			f(path, xmlCall("calculate_metrics", "<array><data/></array>"), asXML, "<int>3</int>")
			f(path, xmlCall("get_metric", "", "disk"), asXML, "<double>40</double>")
		}
		for _, protocol := range []string{"jsonrpc", "xmlrpc"} {
			servertest.Eventually(t, "records of the calls", func() bool {
				return len(srv.Log.Lines("level=INFO", "not_found", "protocol="+protocol, "mine-"+t.Name(), "peer=127.0.0.1")) == 2
			})
		}
	})
	series := scrape(t, srv)
	for name, want := range map[string]string{
		`grpc_requests_total{code="ok",method="Add",protocol="jsonrpc",service="diagnostics.v1.DiagnosticsService"}`:                     "4",
		`grpc_requests_total{code="ok",method="Add",protocol="xmlrpc",service="diagnostics.v1.DiagnosticsService"}`:                      "4",
		`grpc_requests_total{code="invalid_argument",method="CalculateMetrics",protocol="xmlrpc",service="monitoring.v1.SystemService"}`: "4",
		`grpc_request_duration_seconds_count{method="GetMetric",protocol="jsonrpc",service="monitoring.MonitoringService"}`:              "8",
	} {
		if series[name] != want {
			t.Errorf("%s is %q, want %s", name, series[name], want)
		}
	}
}

// All calls of a batch have one id, which is the answer's.
func TestBatchHasOneRequestID(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/", "["+jsonCall("add", "[1]")+","+jsonCall("multiply", "[2]")+"]", asJSON)
	id := got.header.Get("X-Request-Id")
	if len(id) < 16 || len(srv.Log.Lines("/diagnostics.v1.DiagnosticsService", id)) != 2 {
		t.Errorf("id %q of %s", id, got.body)
	}
}

// What is no call goes where it went: to the page, and to Connect's own answer.
func TestRootTakesCallsAlone(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "page %s", r.Method) })
	srv := servertest.NewSeeded(t, server.Options{Page: page})
	f := func(method, contentType, want string) {
		t.Helper()
		if got := send(t, srv.HTTP1(), method, srv.URL+"/", jsonCall("add", "[5,3]"), contentType); !strings.Contains(got.body, want) {
			t.Errorf("%s %s: %d %s", method, contentType, got.status, got.body)
		}
	}
	f("POST", asJSON, `"result":8`)
	f("GET", asJSON, "page GET")
	f("POST", "Content-Type: text/plain", "page POST")
}

// A page of an origin that is not allowed cannot call, whatever it sends, and its
// browser's question before that is not answered. What pages may send unasked is not
// taken from others either.
func TestOriginsOfCallsByName(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{AllowedOrigins: []string{dashboard}})
	for _, path := range []string{"/jsonrpc", "/RPC2"} {
		for _, contentType := range []string{"text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "text/xml"} {
			got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, jsonCall("add", "[5,3]"), "Content-Type: "+contentType, "Origin: https://evil.example.com")
			if got.status != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", path, contentType, got.status, got.body)
			}
		}
		if got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+path, jsonCall("add", "[5,3]"), "Content-Type: text/plain"); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		for origin, want := range map[string]string{"https://evil.example.com": "", dashboard: dashboard} {
			got := send(t, srv.HTTP1(), http.MethodOptions, srv.URL+path, "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
			if got.header.Get(allowOrigin) != want {
				t.Errorf("%s from %s: %q", path, origin, got.header.Get(allowOrigin))
			}
		}
	}
}

// The names are a contract, and so is the form of each result: a second field in a
// response of one would turn a bare value into a struct.
func TestNamesAreFrozen(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{Version: "v1.2.3"})
	got := send(t, srv.HTTP1(), http.MethodPost, srv.URL+"/jsonrpc", jsonCall("rpc.discover", "[]"), asJSON)
	var response struct {
		Result struct {
			OpenRPC string
			Info    struct{ Title, Version string }
			Methods []struct {
				Name, Summary, ParamStructure string
				Params                        []struct {
					Name   string
					Schema map[string]any
				}
				Result struct {
					Name   string
					Schema map[string]any
				}
			}
			Components struct{ Schemas map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &response); err != nil {
		t.Fatalf("%v: %.300s", err, got.body)
	}
	doc := response.Result
	if doc.OpenRPC != "1.3.2" || doc.Info.Title != "Vitals" || doc.Info.Version != "v1.2.3" {
		t.Errorf("%s %+v", doc.OpenRPC, doc.Info)
	}
	forms := map[string]string{}
	for _, m := range doc.Methods {
		var params []string
		for _, p := range m.Params {
			params = append(params, p.Name)
			if p.Schema == nil {
				t.Errorf("%s: param %s has no schema", m.Name, p.Name)
			}
		}
		if m.Summary == "" || m.Result.Name == "" || m.Result.Schema == nil || forms[m.Name] != "" {
			t.Errorf("%+v", m)
		}
		result := m.Result.Name
		if m.Result.Schema["$ref"] == nil {
			result = fmt.Sprint("bare ", m.Result.Schema["type"])
		}
		forms[m.Name] = strings.Join(params, ",") + " -> " + result
	}
	for name, want := range map[string]string{
		"add":               "a,b -> bare integer",
		"multiply":          "a,b -> bare integer",
		"uppercase":         "text -> bare string",
		"get_metric":        "hostname,metric_type -> MetricResponse",
		"check_health":      "service -> HealthResponse",
		"calculate_metrics": "cpu_usage,memory_usage -> CalculateMetricsResponse",
		"get_system_info":   " -> GetSystemInfoResponse",
		"list_hosts":        "hostname_prefix -> ListHostsResponse",
		"list_metrics":      "hostname -> ListMetricsResponse",
		"query_range":       "selector,start,end,max_points -> QueryRangeResponse",
		"query_prom_ql":     "query,time,start,end,step -> QueryPromQLResponse",
		"report_batch":      "hostname,samples -> ReportBatchResponse",
	} {
		if forms[name] != want {
			t.Errorf("%s is %q, want %q: clients of it exist", name, forms[name], want)
		}
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(got.body, -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("the schema %s is missing", ref[1])
		}
	}
}

// Methods whose names cannot be told apart stop the server from starting.
func TestNameClash(t *testing.T) {
	file := transporttest.Parse(t, `name: "clash" syntax: "proto3" package: "clash" message_type { name: "M" }
		service { name: "S" method { name: "GetMetric" input_type: ".clash.M" output_type: ".clash.M" } }`)
	roles := map[string]account.Role{"/clash.S/GetMetric": account.Anyone}
	_, err := server.New(t.Context(), server.Options{History: store.Options{Dir: t.TempDir()}, Roles: roles, Services: func(calls *connect.Server) {
		transporttest.Register(calls, []protoreflect.FileDescriptor{file}, func(protoreflect.MethodDescriptor, *dynamicpb.Message, *dynamicpb.Message) error { return nil })
	}})
	if err == nil || !strings.Contains(err.Error(), "clash.S/GetMetric") || !strings.Contains(err.Error(), "monitoring.MonitoringService/GetMetric") {
		t.Errorf("%v", err)
	}
}
