package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/vitals-rpc/vitals/metric"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestParseWhen(t *testing.T) {
	zone := time.FixedZone("here", 3600)
	now := time.Date(2026, 11, 22, 14, 30, 15, 0, zone)
	f := func(text, want string) {
		t.Helper()
		got, err := parseWhen("start", text, now)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("parseWhen(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	f("now", "2026-11-22T13:30:15Z")
	f("2026-11-22T14:00:00Z", "2026-11-22T14:00:00Z")
	f("2026-11-22T14:00:00+02:00", "2026-11-22T12:00:00Z")
	f("2026-11-22 14:00", "2026-11-22T13:00:00Z")
	f("2026-11-22 14:00:05", "2026-11-22T13:00:05Z")
	f("2026-11-22T14:00", "2026-11-22T13:00:00Z")
	f("2026-11-22", "2026-11-21T23:00:00Z")
	f("09:15", "2026-11-22T08:15:00Z")
	f("-30m", "2026-11-22T13:00:15Z")
	f("-2d", "2026-11-20T13:30:15Z")
	f("1795353600", "2026-11-22T13:20:00Z")
	f("1795353600.5", "2026-11-22T13:20:00Z")
	for _, bad := range []string{"", "yesterday", "30m", "-soon", "2026-13-01", "1795353600000000", "-5"} {
		if got, err := parseWhen("start", bad, now); err == nil || !strings.Contains(err.Error(), "start") {
			t.Errorf("parseWhen(%q) = %v, %v", bad, got, err)
		}
	}
}

func TestQueryRequest(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	f := func(c queryConfig, start, end, step string) {
		t.Helper()
		req, err := c.request("cpu", now)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			return
		}
		got := [3]string{}
		if req.GetStart() != nil {
			got = [3]string{req.GetStart().AsTime().Format(time.TimeOnly), req.GetEnd().AsTime().Format(time.TimeOnly), req.GetStep().AsDuration().String()}
		}
		if got != [3]string{start, end, step} {
			t.Errorf("%+v asks for %v", c, got)
		}
	}
	f(queryConfig{}, "", "", "")
	f(queryConfig{at: "-1h"}, "", "", "")
	f(queryConfig{since: 30 * time.Minute}, "13:30:00", "14:00:00", "8s")
	f(queryConfig{since: time.Minute}, "13:59:00", "14:00:00", "1s")
	f(queryConfig{since: 31 * time.Minute}, "13:29:04", "14:00:00", "8s") // the end is a whole number of steps away
	f(queryConfig{since: time.Minute, step: 7 * time.Second}, "13:59:04", "14:00:00", "7s")
	f(queryConfig{start: "-2h"}, "12:00:00", "14:00:00", "0s")
	f(queryConfig{step: 5 * time.Second}, "13:00:00", "14:00:00", "5s")
	f(queryConfig{start: "-2h", end: "-1h", step: time.Minute}, "12:00:00", "13:00:00", "1m0s")
	f(queryConfig{since: time.Hour, end: "12:00"}, "11:00:00", "12:00:00", "15s")
	bad := func(c queryConfig, want string) {
		t.Helper()
		if _, err := c.request("cpu", now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	bad(queryConfig{since: time.Hour, start: "-2h"}, "leave one of them out")
	bad(queryConfig{since: time.Hour, at: "-2h"}, "--time is for a single evaluation")
	bad(queryConfig{start: "-1h", end: "-2h"}, "not before its end")
	bad(queryConfig{start: "then"}, `start "then" is no time`)
}

func TestPointAt(t *testing.T) {
	f := func(message, expr, want string) {
		t.Helper()
		err := pointAt(connect.NewError(connect.CodeInvalidArgument, message), expr)
		if got := strings.TrimPrefix(err.Error(), "invalid_argument: "+message); got != want {
			t.Errorf("pointAt(%q, %q) adds %q, want %q", message, expr, got, want)
		}
		if exitCode(err) != exitRPC+int(connect.CodeInvalidArgument) {
			t.Errorf("exit code %d", exitCode(err))
		}
	}
	f(`the expression is wrong at line 1, column 6, near "cpu": expected`, "rate(cpu)", "\n  rate(cpu)\n       ^^^")
	f(`the expression is wrong at line 1, column 4, at its end: unexpected`, "sum", "\n  sum\n     ^")
	f(`the expression is wrong at line 2, column 3, near "\"x\"": no`, "a +\n- \"x\"", "\n  - \"x\"\n    ^^^")
	f("1:6: parse error: expected", "rate(cpu)", "\n  rate(cpu)\n       ^")
	f(`wrong at line 1, column 4, near "x"`, "日本 x", "\n  日本 x\n       ^") // wide characters take two cells
	f("wrong at line 7, column 1", "cpu", "")
	f("the query reaches the limit", "cpu", "")
	if err := errors.New("1:1: parse error"); pointAt(err, "x") != err {
		t.Error("an error that is no RPC's is changed")
	}
}

// queryServer has a few seconds of samples of two hosts.
func queryServer(t *testing.T) *servertest.Server {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.PutSeries(metric.NewSeries("cpu", "web-1", nil), 75)
	srv.PutSeries(metric.NewSeries("queue_depth", "web-1", metric.NewLabels("queue", "mail")), 7)
	return srv
}

func TestQuery(t *testing.T) {
	srv := queryServer(t)
	query := func(args ...string) result {
		return vitals(t, append(append([]string{"query"}, args...), "--server", srv.URL)...)
	}
	got := query("cpu")
	got.want(t, 0, "SERIES ", "")
	got.want(t, 0, "cpu{hostname=\"server01\"}  12.5   percent\n", "")
	got.want(t, 0, "cpu{hostname=\"web-1\"}     75     percent\n", "")
	query(`queue_depth > 5`).want(t, 0, `queue_depth{hostname="web-1", queue="mail"}  7`, "")
	query("max(cpu) * 2").want(t, 0, "{}      150\n", "")
	query("1 + 1").want(t, 0, "2\n", "")
	query(`"text"`).want(t, 0, "text\n", "")
	query("nonesuch").want(t, 0, "", "no series has samples")
	for _, protocol := range []string{"grpc", "grpcweb"} {
		query("max(cpu)", "--protocol", protocol).want(t, 0, "75", "")
	}

	table := query("cpu", "--since", "10s", "--step", "1s")
	table.want(t, 0, "TIME ", "")
	if !strings.Contains(table.stdout, `cpu{hostname="web-1"}     75     percent`) || strings.Contains(table.stdout, "┤") {
		t.Errorf("a range in a pipe is no table: %s", table.stdout)
	}
	var answer struct {
		ResultType string
		Series     []struct {
			Labels map[string]string
			Values []float64
		}
	}
	got = query("cpu", "--since", "10s", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer.ResultType != "RESULT_TYPE_MATRIX" || len(answer.Series) != 2 || answer.Series[0].Labels["__name__"] != "cpu" {
		t.Errorf("%q: %v", got.stdout, err)
	}
	chart := query("cpu", "--since", "20s", "-o", "chart")
	chart.want(t, 0, "┤", "")
	chart.want(t, 0, `{hostname="web-1"}`, "")
	if strings.Contains(chart.stdout, "\x1b") {
		t.Error("a chart in a pipe is coloured")
	}

	query("rate(cpu)").want(t, 64+3, "", "\n  rate(cpu)\n       ^^^\n")
	query("cpu", "-o", "chart").want(t, 2, "", "a chart needs a range of time: add --since 1h")
	query("cpu", "-o", "csv").want(t, 2, "", `"csv" is none of table, json and chart`)
	query("cpu", "--since", "soon").want(t, 2, "", "soon")
	query("cpu", "--start", "soon").want(t, 2, "", `start "soon" is no time`)
	query().want(t, 2, "", "vitals query --help")
}

// Every example that --help has works word for word.
func TestQueryExamples(t *testing.T) {
	srv := queryServer(t)
	srv.Put("memory_total", 16)
	srv.PutSeries(metric.NewSeries("process_cpu", srv.Hostname(), metric.NewLabels("process", "go")), 16)
	srv.PutSeries(metric.NewSeries("network_receive", srv.Hostname(), metric.NewLabels("interface", "eth0")), 16)
	n := 0
	for line := range strings.Lines(newQuery().Example) {
		n++
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = []string{"PATH=" + filepath.Dir(binary) + ":/usr/bin:/bin", "VITALS_SERVER=" + srv.URL}
		out, err := cmd.CombinedOutput()
		// Two days ago there was nothing yet.
		if nothing := strings.Contains(string(out), "no series has samples"); err != nil || nothing != strings.Contains(line, "-2d") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	if n < 5 {
		t.Errorf("only %d examples", n)
	}
}

func TestMetrics(t *testing.T) {
	srv := queryServer(t)
	list := func(args ...string) result {
		return vitals(t, append(append([]string{"metrics"}, args...), "--server", srv.URL)...)
	}
	all := list()
	all.want(t, 0, "METRIC ", "")
	all.want(t, 0, "percent  gauge          Busy time of all cores", "")
	if cpu, queue := strings.Index(all.stdout, "\ncpu "), strings.Index(all.stdout, "\nqueue_depth "); cpu < 0 || queue < cpu {
		t.Errorf("built-in ones are not first: %s", all.stdout)
	}
	own := list("server01")
	own.want(t, 0, "\nmemory ", "")
	if strings.Contains(own.stdout, "queue_depth") {
		t.Errorf("server01 has what web-1 has: %s", own.stdout)
	}
	list("-o", "json").want(t, 0, `"name":"queue_depth"`, "")
	list("web-9").want(t, 69, "", "nearest: web-1")
}
